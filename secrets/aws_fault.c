/* What AWS's words for errors mean: one table. */
#include <string.h>

#include "aws_call.h"

static const struct {
	const char *code;
	enum aws_remedy remedy;
	enum aws_fault fault;
} faults[] = {
	{ "ResourceNotFoundException", AWS_REMEDY_NONE, AWS_MISSING },
	{ "ResourceExistsException", AWS_REMEDY_NONE, AWS_EXISTS },
	{ "AccessDeniedException", AWS_REMEDY_NONE, AWS_DENIED },
	{ "AccessDenied", AWS_REMEDY_NONE, AWS_DENIED },
	{ "DecryptionFailure", AWS_REMEDY_NONE, AWS_REFUSED },

	{ "ExpiredTokenException", AWS_REMEDY_KEYS, AWS_UNAVAILABLE },
	{ "ExpiredToken", AWS_REMEDY_KEYS, AWS_UNAVAILABLE },
	{ "UnrecognizedClientException", AWS_REMEDY_KEYS, AWS_UNAVAILABLE },
	{ "InvalidClientTokenId", AWS_REMEDY_KEYS, AWS_UNAVAILABLE },

	{ "InvalidSignatureException", AWS_REMEDY_CLOCK, AWS_REFUSED },
	{ "SignatureDoesNotMatch", AWS_REMEDY_CLOCK, AWS_REFUSED },
	{ "RequestTimeTooSkewed", AWS_REMEDY_CLOCK, AWS_REFUSED },
	{ "RequestExpired", AWS_REMEDY_CLOCK, AWS_REFUSED },

	{ "InternalServiceError", AWS_REMEDY_WAIT, AWS_UNAVAILABLE },
	{ "RequestTimeout", AWS_REMEDY_WAIT, AWS_UNAVAILABLE },
	{ "RequestTimeoutException", AWS_REMEDY_WAIT, AWS_UNAVAILABLE },
	{ "Throttling", AWS_REMEDY_WAIT, AWS_UNAVAILABLE },
	{ "ThrottlingException", AWS_REMEDY_WAIT, AWS_UNAVAILABLE },
	{ "ThrottledException", AWS_REMEDY_WAIT, AWS_UNAVAILABLE },
	{ "RequestThrottledException", AWS_REMEDY_WAIT, AWS_UNAVAILABLE },
	{ "RequestThrottled", AWS_REMEDY_WAIT, AWS_UNAVAILABLE },
	{ "TooManyRequestsException", AWS_REMEDY_WAIT, AWS_UNAVAILABLE },
	{ "RequestLimitExceeded", AWS_REMEDY_WAIT, AWS_UNAVAILABLE },
	{ "LimitExceededException", AWS_REMEDY_WAIT, AWS_UNAVAILABLE },
	{ "SlowDown", AWS_REMEDY_WAIT, AWS_UNAVAILABLE },
	{ "BandwidthLimitExceeded", AWS_REMEDY_WAIT, AWS_UNAVAILABLE },
	{ "ProvisionedThroughputExceededException", AWS_REMEDY_WAIT, AWS_UNAVAILABLE },
	{ "PriorRequestNotComplete", AWS_REMEDY_WAIT, AWS_UNAVAILABLE },
	{ "TransactionInProgressException", AWS_REMEDY_WAIT, AWS_UNAVAILABLE },
	{ "EC2ThrottledException", AWS_REMEDY_WAIT, AWS_UNAVAILABLE },
};

static bool is_deletion(const char *code, const char *message)
{
	return strcmp(code, "InvalidRequestException") == 0
		&& (strstr(message, "marked for deletion") || strstr(message, "scheduled for deletion")
		    || strstr(message, "marked deleted"));
}

enum aws_remedy aws_fault_find(long status, const char *code, const char *message, enum aws_fault *fault)
{
	for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
		if (strcmp(code, faults[i].code) == 0) {
			*fault = faults[i].fault;
			return faults[i].remedy;
		}
	}
	/* No answer, an answer from somebody in between, or nonsense: a good status with what is no JSON is no better. */
	bool passing = status == 0 || status == 429 || status >= 500 || (status < 300 && !*code);

	*fault = passing ? AWS_UNAVAILABLE : is_deletion(code, message) ? AWS_DELETED
		: status == 403 && !*code ? AWS_DENIED : AWS_REFUSED;
	return passing ? AWS_REMEDY_WAIT : AWS_REMEDY_NONE;
}
