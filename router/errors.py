"""The error tree. Each class knows its HTTP status and its stable OpenAI error code.

    StillhouseError
    ├── BadRequest                400  invalid_request_error
    │   ├── BadJSON               400  invalid_json
    │   ├── ContextTooLong        400  context_length_exceeded
    │   └── UnsupportedParameter  400  unsupported_parameter
    ├── Unauthorized              401  invalid_api_key
    ├── Forbidden                 403  permission_denied
    ├── NotFound                  404  not_found
    │   └── ModelNotFound         404  model_not_found
    ├── MethodNotAllowed          405  method_not_allowed
    ├── RequestTimeout            408  request_timeout
    ├── Conflict                  409  conflict
    ├── TooLarge                  413  request_too_large
    ├── UnsupportedMedia          415  unsupported_media_type
    ├── LimitReached              429  rate_limit_exceeded: a limit of the key, its team or its tenant
    │   └── BudgetExceeded        429  budget_exceeded
    ├── LimitsAway                503  limits_unavailable
    ├── PriceUnknown              503  price_unknown
    ├── TooManyAtOnce             429  too_many_at_once
    ├── HeadTooLarge              431  headers_too_large
    ├── Overloaded                503  overloaded
    ├── NoTier                    503  no_tier_available
    ├── Quarantined               503  quarantined
    └── UpstreamError             502  upstream_error
        ├── UpstreamRejected      4xx  the upstream's own code: the caller's request is at fault
        ├── UpstreamRateLimited   429  rate_limit_exceeded (keeps Retry-After)
        ├── UpstreamBusy          429  upstream_busy (our own queue in front of a local model is full)
        ├── UpstreamAuth          502  upstream_auth: the operator's key, never shown as the caller's
        ├── UpstreamUnavailable   502  upstream_unavailable: refused, reset, 5xx
        ├── UpstreamInvalid       502  upstream_invalid: HTML, cut JSON, not an OpenAI answer
        ├── UpstreamResting       503  upstream_resting: a breaker is open
        ├── UpstreamAbstained     503  upstream_abstained: a head that is not sure leaves it to the next
        └── UpstreamTimeout       504  upstream_timeout
            └── DeadlineExceeded  504  deadline_exceeded: the caller's own time is up

``message`` is safe to show to the caller: it never holds a prompt, an upstream's address or its text.
"""

from __future__ import annotations

from typing import ClassVar


class StillhouseError(Exception):
    """Base of all errors that a caller may see.

    Attributes:
        status: HTTP status.
        code: stable, documented in ``docs/errors.md``.
        type: OpenAI's error type.
        param: the request field at fault, if one is.
        retry_after: value of the Retry-After header, if known.
    """

    status: int = 500
    code: str = "internal_error"
    type: ClassVar[str] = "server_error"

    def __init__(self, message: str, *, param: str | None = None, retry_after: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.retry_after = retry_after

    def body(self) -> dict[str, dict[str, str | None]]:
        """The OpenAI error object."""
        return {"error": {"message": self.message, "type": self.type, "param": self.param, "code": self.code}}


class BadRequest(StillhouseError):
    """The request is wrong; the message says where."""

    status = 400
    code = "invalid_request_error"
    type = "invalid_request_error"


class BadJSON(BadRequest):
    """The body is not a JSON object in UTF-8."""

    code = "invalid_json"


class ContextTooLong(BadRequest):
    """No model that may serve it holds a request so long. OpenAI's own code: clients shorten and ask again."""

    code = "context_length_exceeded"


class UnsupportedParameter(BadRequest):
    """A parameter that the chosen path cannot carry."""

    code = "unsupported_parameter"


class Unauthorized(StillhouseError):
    """No key, or one that is not ours."""

    status = 401
    code = "invalid_api_key"
    type = "authentication_error"


class Forbidden(StillhouseError):
    """The key may not do this."""

    status = 403
    code = "permission_denied"
    type = "permission_error"


class NotFound(StillhouseError):
    """No such path."""

    status = 404
    code = "not_found"
    type = "invalid_request_error"


class ModelNotFound(NotFound):
    """No such model."""

    code = "model_not_found"


class MethodNotAllowed(StillhouseError):
    """The path exists, the method does not."""

    status = 405
    code = "method_not_allowed"
    type = "invalid_request_error"


class RequestTimeout(StillhouseError):
    """The request did not arrive in time. Not the upstream's time: that is ``UpstreamTimeout``."""

    status = 408
    code = "request_timeout"
    type = "invalid_request_error"


class Conflict(StillhouseError):
    """It contradicts what is already kept and never changes."""

    status = 409
    code = "conflict"
    type = "invalid_request_error"


class TooLarge(StillhouseError):
    """The body is larger than the server accepts."""

    status = 413
    code = "request_too_large"
    type = "invalid_request_error"


class UnsupportedMedia(StillhouseError):
    """The body is not ``application/json``, or is compressed."""

    status = 415
    code = "unsupported_media_type"
    type = "invalid_request_error"


class TooManyAtOnce(StillhouseError):
    """This tenant, or its bulkhead, has as many requests under way as it may."""

    status = 429
    code = "too_many_at_once"
    type = "rate_limit_error"


class HeadTooLarge(StillhouseError):
    """Too many headers, or too long ones."""

    status = 431
    code = "headers_too_large"
    type = "invalid_request_error"


class Overloaded(StillhouseError):
    """The gateway is draining or full."""

    status = 503
    code = "overloaded"


class LimitReached(StillhouseError):
    """A limit of ours, not an upstream's; asking another model at once would not help."""

    status = 429
    code = "rate_limit_exceeded"
    type = "rate_limit_error"
    retryable: ClassVar[bool] = False


class BudgetExceeded(LimitReached):
    """The money of a day or month is used up, or set aside for calls in progress."""

    code = "budget_exceeded"
    type = "insufficient_quota"

    @property
    def soon(self) -> bool:
        """Whether waiting a little may help: money comes back from calls in progress."""
        return self.retry_after == "1"


class LimitsAway(StillhouseError):
    """The store of limits cannot be reached, and nothing that was drawn before is left."""

    status = 503
    code = "limits_unavailable"
    retryable: ClassVar[bool] = False


class PriceUnknown(StillhouseError):
    """A budget cannot be kept over a model whose price nobody knows."""

    status = 503
    code = "price_unknown"
    retryable: ClassVar[bool] = False


class NoTier(StillhouseError):
    """No tier may serve this request under the policy."""

    status = 503
    code = "no_tier_available"


class Quarantined(StillhouseError):
    """The tenant's requests are the likely cause of crashes of the gateway; it waits, and is then let in on trial."""

    status = 503
    code = "quarantined"


class UpstreamError(StillhouseError):
    """Something behind the gateway failed.

    Attributes:
        retryable: another try may succeed.
        overload: it has more to do than it can, so another try takes a place from somebody.
    """

    status = 502
    code = "upstream_error"
    type = "upstream_error"
    retryable: bool = True
    overload: bool = False


class UpstreamRejected(UpstreamError):
    """The upstream says that the caller's request is at fault: its code and words travel on."""

    type = "invalid_request_error"
    retryable = False

    def __init__(self, message: str, *, status: int, code: str, param: str | None = None) -> None:
        super().__init__(message, param=param)
        self.status = status
        self.code = code


class UpstreamRateLimited(UpstreamError):
    """The upstream's limit; Retry-After travels on."""

    status = 429
    code = "rate_limit_exceeded"
    type = "rate_limit_error"
    overload = True


class UpstreamBusy(UpstreamError):
    """The bounded queue in front of a local model is full."""

    status = 429
    code = "upstream_busy"
    type = "rate_limit_error"
    overload = True


class UpstreamAuth(UpstreamError):
    """The upstream refused the operator's key. Not the caller's fault, and not retried."""

    code = "upstream_auth"
    retryable = False


class UpstreamUnavailable(UpstreamError):
    """Refused, reset, or a 5xx."""

    code = "upstream_unavailable"


class UpstreamInvalid(UpstreamError):
    """What came back is not an OpenAI answer."""

    code = "upstream_invalid"


class UpstreamMisplaced(UpstreamInvalid):
    """A page or a redirect where an API should be. Asking again would find the same."""

    retryable = False


class UpstreamResting(UpstreamError):
    """Every deployment that may serve it is left alone after failures. Nothing was asked."""

    status = 503
    code = "upstream_resting"
    retryable = False


class UpstreamAbstained(UpstreamError):
    """A head has no answer that it is sure of: whoever comes next is asked. Nothing counts it as a failure."""

    status = 503
    code = "upstream_abstained"
    retryable = False


class UpstreamTimeout(UpstreamError):
    """The upstream took longer than the policy allows."""

    status = 504
    code = "upstream_timeout"
    overload = True


class UpstreamSilent(UpstreamTimeout):
    """No sign of life came while calls waited, and the breaker opened: ask elsewhere."""

    overload = False


class DeadlineExceeded(UpstreamTimeout):
    """The time that the caller gave is up."""

    code = "deadline_exceeded"
    retryable = False


#: What a call may end with.
CallError = UpstreamError | LimitReached | LimitsAway | PriceUnknown
