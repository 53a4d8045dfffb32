#include "aws_metadata.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "pgweir/mem.h"

enum { TIMEOUT_MS = 1000, TIMEOUT_MAX_S = 60 };

bool aws_metadata_is_disabled(void)
{
	const char *off = getenv("AWS_EC2_METADATA_DISABLED");

	return off && strcasecmp(off, "true") == 0;
}

static const char *base_url(void)
{
	const char *endpoint = getenv("AWS_EC2_METADATA_SERVICE_ENDPOINT");
	const char *mode = getenv("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");

	if (endpoint && *endpoint)
		return endpoint;
	return mode && strcasecmp(mode, "ipv6") == 0 ? "http://[fd00:ec2::254]" : "http://169.254.169.254";
}

static uint64_t timeout_ms(void)
{
	const char *text = getenv("AWS_METADATA_SERVICE_TIMEOUT");
	unsigned long seconds = text ? strtoul(text, NULL, 10) : 0;

	return seconds && seconds <= TIMEOUT_MAX_S ? seconds * 1000 : TIMEOUT_MS;
}

static struct http_call *ask(struct aws *aws, const char *method, const char *path, const char *header, http_cb *callback,
	void *arg)
{
	const char *base = base_url(), *headers[] = { header, NULL };
	char *url = mem_printf("%s%s%s", base, base[strlen(base) - 1] == '/' ? "" : "/", path);
	struct http_request request = {
		.method = method, .url = url, .headers = headers, .timeout_ms = timeout_ms(), .direct = true,
	};
	struct http_call *call = http_start(aws->http, &request, callback, arg);

	mem_free(url);
	return call;
}

struct http_call *aws_metadata_ask_token(struct aws *aws, http_cb *callback, void *arg)
{
	return ask(aws, "PUT", "latest/api/token", "X-aws-ec2-metadata-token-ttl-seconds: 21600", callback, arg);
}

struct http_call *aws_metadata_ask(struct aws *aws, const char *path, const char *token, http_cb *callback, void *arg)
{
	char *header = token ? mem_printf("X-aws-ec2-metadata-token: %s", token) : NULL;
	struct http_call *call = ask(aws, "GET", path, header, callback, arg);

	mem_secret_free(header);
	return call;
}

bool aws_metadata_has_no_tokens(const struct http_answer *answer)
{
	const char *forbidden = getenv("AWS_EC2_METADATA_V1_DISABLED");

	return (answer->status == 403 || answer->status == 404 || answer->status == 405)
		&& !(forbidden && strcmp(forbidden, "true") == 0);
}

char *aws_metadata_line(const struct http_answer *answer)
{
	size_t size = 0;

	while (size < answer->body.size && answer->body.bytes[size] >= ' ' && answer->body.bytes[size] < 127)
		size++;
	return mem_strndup(answer->body.size ? answer->body.bytes : "", size);
}
