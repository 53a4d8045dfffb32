/* Whatever a stranger sends first: PROXY headers, requests, startup packets. */
#include <stdint.h>
#include <sys/socket.h>

#include "login_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void read_startup(const char *packet, size_t size)
{
	struct error error;
	struct startup_request *request = startup_request_read(packet, size, &error);

	if (request) {
		CHECK(*request->user && strlen(request->user) <= STARTUP_NAME_MAX);
		CHECK(*request->database && strlen(request->database) <= STARTUP_NAME_MAX);
		CHECK(request->minor == 0 || request->minor == STARTUP_NEWEST_MINOR);
		/* It would be the user of a server connection. */
		CHECK(!state_get(request->settings, "user") && !state_get(request->login_settings, "user"));
		CHECK(!request->refusal || (strlen(request->refusal->sqlstate) == 5 && *request->refusal->text));
	} else {
		CHECK(strlen(error.sqlstate) == 5 && *error.text);
	}
	startup_request_free(&request);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	const char *packet = (const char *)bytes;
	struct sockaddr_storage client;
	size_t packet_size = 0, header_size = 0, key_size;
	const char *key;
	uint32_t pid;

	enum wire_proxy_kind proxied = size ? wire_proxy_header(packet, size, &header_size, &client) : WIRE_PROXY_INCOMPLETE;

	if (proxied == WIRE_PROXY_LOCAL || proxied == WIRE_PROXY_ADDRESS)
		CHECK(header_size <= size);
	switch (wire_startup_kind(packet, size, &packet_size)) {
	case WIRE_STARTUP_SESSION:
		CHECK(packet_size <= size);
		read_startup(packet, packet_size);
		break;
	case WIRE_STARTUP_CANCEL:
		if (wire_cancel_parse(packet, packet_size, &pid, &key, &key_size))
			CHECK(key_size && key_size <= WIRE_CANCEL_KEY_MAX && key + key_size <= packet + size);
		break;
	default:
		break;
	}
	return 0;
}
