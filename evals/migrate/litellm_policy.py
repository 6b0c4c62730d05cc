"""What of LiteLLM's settings a policy can say: fallbacks, time limits, guards. The rest is named with its reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from guardrails import GuardConfigErrors, compile_rails
from router.types import TIER_NAMES, TierName

if TYPE_CHECKING:
    from evals.migrate.places import Tree
    from evals.migrate.told import Tale

_RETRIES: Final = "retries are fixed: three tries in all, and none after an error that another try cannot cure"
_COOLDOWN: Final = "deployments are not taken out for a time: a failed try goes to the next tier at once"
_CALLBACK: Final = "there are no callbacks: every request is in the ledger (stillhouse ledger export) and in /metrics"
_CACHE: Final = "there is no cache of answers"
_STORE: Final = "there is no outside store: one process keeps its own ledger"
_BUDGET: Final = "there are no budgets yet"
_LIMIT: Final = "there are no rate limits yet"
REASONS: Final[Mapping[str, str]] = {
    "num_retries": _RETRIES, "max_retries": _RETRIES, "retry_after": _RETRIES, "retry_policy": _RETRIES,
    "model_group_retry_policy": _RETRIES, "allowed_fails": _COOLDOWN, "allowed_fails_policy": _COOLDOWN,
    "cooldown_time": _COOLDOWN, "disable_cooldowns": _COOLDOWN,
    "context_window_fallbacks": "write 'context_window' at each deployment: longer requests go to one that holds them",
    "content_policy_fallbacks": "no other model is asked after a refusal of content",
    "model_group_alias": "a deployment has one name: callers must say it",
    "enable_pre_call_checks": "requests always go to a deployment that can carry them",
    "enable_tag_filtering": "deployments are chosen by tier; a rule with 'when: {tag: …}' sends them to a tier",
    "routing_strategy_args": "two deployments of a tier share its requests by 'share'",
    "redis_host": _STORE, "redis_port": _STORE, "redis_password": _STORE, "redis_url": _STORE,
    "coordination_redis": _STORE, "cache_params": _CACHE, "cache": _CACHE, "cache_responses": _CACHE,
    "callbacks": _CALLBACK, "success_callback": _CALLBACK, "failure_callback": _CALLBACK, "service_callback": _CALLBACK,
    "callback_settings": _CALLBACK, "alerting": _CALLBACK, "alerting_threshold": _CALLBACK, "alerting_args": _CALLBACK,
    "turn_off_message_logging": "nothing to turn off: prompts and answers are never logged",
    "redact_user_api_key_info": "nothing to turn off: keys are never logged, only their ids",
    "drop_params": "requests travel as the caller wrote them",
    "modify_params": "requests travel as the caller wrote them",
    "set_verbose": "the log says what an operator needs, and no prompts",
    "json_logs": "the log is plain lines",
    "max_budget": _BUDGET, "budget_duration": _BUDGET, "default_internal_user_params": _BUDGET,
    "default_team_settings": _BUDGET, "default_key_generate_params": "say it for each key: stillhouse keys add",
    "upperbound_key_generate_params": "say it for each key: stillhouse keys add",
    "max_parallel_requests": _LIMIT, "global_max_parallel_requests": _LIMIT, "rpm_limit": _LIMIT, "tpm_limit": _LIMIT,
    "database_url": "keys are carried from an export: GET /key/list?return_full_object=true, then --keys FILE",
    "store_model_in_db": "models are in the settings file; those that LiteLLM keeps in its database are not seen here",
    "store_prompts_in_spend_logs": "prompts are never stored",
    "custom_auth": "callers are known by keys",
    "key_management_system": "secrets come from variables (env:) and files (file:)",
    "key_management_settings": "secrets come from variables (env:) and files (file:)",
    "pass_through_endpoints": "only the endpoints of docs/api.md are served",
    "environment_variables": "set them in the gateway's own environment",
    "include": "run this once for each file that is included",
    "mcp_servers": "no tools are served here; those of a request travel to its model",
    "general_settings": "there is no setting for it here",
}  # fmt: skip
_UNKNOWN: Final = "there is no setting for it here"
#: Presidio's names -> ours.
PII: Final[Mapping[str, str]] = {
    "EMAIL_ADDRESS": "EMAIL", "PHONE_NUMBER": "PHONE", "CREDIT_CARD": "CREDIT_DEBIT_CARD_NUMBER",
    "IBAN_CODE": "INTERNATIONAL_BANK_ACCOUNT_NUMBER", "IP_ADDRESS": "IP_ADDRESS", "US_SSN": "US_SOCIAL_SECURITY_NUMBER",
    "US_ITIN": "US_INDIVIDUAL_TAX_IDENTIFICATION_NUMBER", "US_DRIVER_LICENSE": "DRIVER_ID",
    "US_PASSPORT": "US_PASSPORT_NUMBER", "US_BANK_NUMBER": "US_BANK_ACCOUNT_NUMBER",
    "UK_NHS": "UK_NATIONAL_HEALTH_SERVICE_NUMBER", "UK_NINO": "UK_NATIONAL_INSURANCE_NUMBER", "URL": "URL",
    "PERSON": "NAME", "LOCATION": "ADDRESS", "MAC_ADDRESS": "MAC_ADDRESS", "KR_RRN": "KR_RRN",
}  # fmt: skip
_GUARD: Final[Mapping[str, str]] = {
    "output_parse_pii": "write 'restore: true' under the policy's guards to put masked values back into answers",
    "presidio_analyzer_api_base": "the guard runs in the gateway and asks nobody",
    "presidio_anonymizer_api_base": "the guard runs in the gateway and asks nobody",
}
_SIDES: Final[Mapping[str, str]] = {"pre_call": "input", "during_call": "input", "post_call": "output"}


class Rules:
    """What goes into the policy.

    Args:
        tiers: public name -> its tiers.
    """

    def __init__(self, tiers: Mapping[str, Sequence[TierName]], tale: Tale, file: str) -> None:
        self.fallbacks: dict[TierName, list[TierName]] = {}
        self.timeouts: dict[str, float] = {}
        self.guards: dict[str, list[dict[str, Any]]] = {"input": [], "output": []}
        self._tiers, self._tale, self._file = tiers, tale, file

    def lost(self, tree: Tree, words: str) -> None:
        """Tell of a part that was not carried."""
        self._tale.say("lost", self._file, tree.line, tree.path, words)
        tree.account()

    def _carried(self, tree: Tree, words: str) -> None:
        self._tale.say("carried", self._file, tree.line, tree.path, words)
        tree.account()

    def read(self, root: Tree) -> None:
        """``router_settings`` first, then ``litellm_settings``, which LiteLLM takes where the former says nothing."""
        for name in ("router_settings", "litellm_settings"):
            block = root.get(name)
            if block is None:
                continue
            self._strategy(block)
            self._timeout(block)
            self._fallbacks(block)
            self._guardrails(block.get("guardrails"))
        self._guardrails(root.get("guardrails"))

    def rest(self, root: Tree) -> None:
        """Every part of the file that nobody has dealt with."""
        for left in list(root.left()):
            if left.path.startswith("x-"):
                left.account()  # a place for anchors: what aliases took from it was told where they stand
                continue
            name = left.path.rsplit(".", 1)[-1]
            self.lost(
                left, REASONS.get(name, REASONS.get(left.path.split(".")[-2] if "." in left.path else "", _UNKNOWN))
            )

    # --- settings

    def _strategy(self, block: Tree) -> None:
        tree, said = block.get("routing_strategy"), block.text("routing_strategy")
        if tree is None or said is None:
            return
        if said == "simple-shuffle":
            self._carried(tree, "deployments of a tier share its requests at random, by 'share'")
        else:
            self.lost(tree, f"{said!r}: deployments of a tier share its requests at random, by 'share'")

    def _timeout(self, block: Tree) -> None:
        for name in ("timeout", "request_timeout"):
            tree, seconds = block.get(name), block.number(name)
            if tree is None or seconds is None:
                continue
            if "total" in self.timeouts:
                self.lost(tree, "another time limit of the file stands already")
            elif seconds <= 0:
                self.lost(tree, "a time limit must be more than zero seconds")
            else:
                self.timeouts["total"] = seconds
                self._carried(tree, f"the policy's timeouts.total is {seconds:g} seconds")

    def _fallbacks(self, block: Tree) -> None:
        if (tree := block.get("default_fallbacks")) is not None:
            self.lost(tree, "a tier that fails falls back to those above it, and downwards where the policy names them")
        listed = block.get("fallbacks")
        for item in listed or ():
            for name, others in item.entries().items():
                self._fallback(name, others)

    def _fallback(self, name: str, others: Tree) -> None:
        """Between models becomes between their tiers; inside a tier there is none."""
        mine = self._tiers.get(name)
        names = [str(item.value) for item in others if isinstance(item.value, str)]
        for item in others:
            if not isinstance(item.value, str):
                self.lost(item, "a fallback with parameters of its own; no setting adds parameters to a request")
        theirs = [tier for other in names for tier in self._tiers.get(other, ())]
        if unknown := [other for other in names if other not in self._tiers]:
            words = f"{', '.join(map(repr, unknown))} was not carried as a chat model"
            self._tale.say("lost", self._file, others.line, others.path, words)
        if mine is None or not theirs:
            self.lost(others, f"no fallback of {name!r} can be said between tiers")
            return
        for tier in mine:
            new = [other for other in dict.fromkeys(theirs) if other != tier]
            if not new:
                self.lost(
                    others, f"{name!r} and its fallbacks are all of the tier {tier}, inside which nothing falls back"
                )
                continue
            held = self.fallbacks.setdefault(tier, [])
            held += [other for other in new if other not in held]
            self._carried(others, f"as a fallback of the whole tier: {tier} to {', '.join(held)}")

    # --- guards

    def _guardrails(self, listed: Tree | None) -> None:
        for item in listed or ():
            name, params = item.text("guardrail_name"), item.get("litellm_params")
            kind = None if params is None else params.text("guardrail")
            if params is None or kind is None:
                self.lost(item, "a guardrail of no kind that is known here; see docs/guards")
                continue
            why = self._guardrail(params, kind)
            if why:
                self.lost(item, f"{name!r}: {why}")
            else:
                for left in list(item.left()):
                    self.lost(left, _GUARD.get(left.path.rsplit(".", 1)[-1], _UNKNOWN))
                self._carried(item, f"{name!r} is a guard of the policy; try it: stillhouse guard test")

    def _guardrail(self, params: Tree, kind: str) -> str:
        """Why a guardrail cannot be carried; empty where it was."""
        if kind == "bedrock":
            return "export it ('aws bedrock get-guardrail') and run 'stillhouse guard import FILE'"
        if kind not in {"presidio", "hide-secrets"}:
            return f"{kind!r} is another service or your own code; the guards that are here are in docs/guards"
        if params.truth("default_on") is not True:
            return (
                "it runs only where a request or a key asks for it, and guards of a policy always run: add it by hand"
            )
        mode = params.get("mode")
        modes = (
            [str(m.value) for m in mode] if mode is not None and isinstance(mode.value, list) else [params.text("mode")]
        )
        sides = [_SIDES.get(str(each)) for each in modes]
        if None in sides:
            return f"its mode {', '.join(map(str, modes))} has no counterpart; guards read requests and answers"
        guard: dict[str, Any] = {"secrets": {"action": "mask"}}
        if kind == "presidio":
            made = self._presidio(params)
            if isinstance(made, str):
                return made
            guard = made
        for side in dict.fromkeys(str(side) for side in sides):
            self.guards[side].append(guard)
        return ""

    def _presidio(self, params: Tree) -> dict[str, Any] | str:
        wanted = params.get("pii_entities_config")
        actions: dict[str, str] = {}
        for name, tree in (wanted.entries() if wanted is not None else {}).items():
            tree.account()
            if name not in PII:
                words = f"{name} is no category here (docs/guards/categories.md)"
                self._tale.say("lost", self._file, tree.line, tree.path, words)
            else:
                actions[PII[name]] = "block" if str(tree.value).upper() == "BLOCK" else "mask"
        if wanted is None:
            return "it names no entities, and Presidio's default is not what is default here: name them in a pii guard"
        if not actions:
            return "none of its entities is a category here"
        guard = {"pii": {"entities": sorted(actions), "action": "mask", "actions": dict(sorted(actions.items()))}}
        try:
            compile_rails((guard,))
        except GuardConfigErrors as error:
            return f"it does not compile here: {error.errors[0].message}"
        return guard


def ordered(fallbacks: Mapping[TierName, Sequence[TierName]], there: Sequence[TierName]) -> dict[str, list[str]]:
    """Fallbacks as a policy writes them, of the tiers that it has."""
    kept = {tier: [t for t in fallbacks.get(tier, ()) if t in there] for tier in TIER_NAMES if tier in there}
    return {tier: list(others) for tier, others in kept.items() if others}
