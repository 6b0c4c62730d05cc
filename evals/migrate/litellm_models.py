"""LiteLLM's ``model_list`` as upstreams and deployments.

A model's provider decides which of our adapters speaks to it: the OpenAI wire itself where the server speaks it, else
litellm's own adapter under its own model name. A key that is written out is never repeated: it becomes the name of an
environment variable that the operator fills.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from evals.migrate.places import Tree

if TYPE_CHECKING:
    from evals.migrate.told import Kind, Tale

ENV: Final = "os.environ/"
#: Providers whose servers speak the OpenAI wire. Without an address of their own they have the one named here.
WIRE: Final[Mapping[str, str | None]] = {
    "openai": "https://api.openai.com/v1",
    "hosted_vllm": None,
    "openai_like": None,
    "custom_openai": None,
    "lm_studio": None,
    "llamafile": None,
    "xinference": None,
    "litellm_proxy": None,
}
_OWN_KEY: Final = {"openai": "OPENAI_API_KEY"}
_OPENAI_NAMES: Final = re.compile(r"(?:gpt-|o[1-9](?:-|$)|chatgpt-|text-embedding-|ft:gpt-)")
#: What LiteLLM takes from the environment where a model does not say it: parameter -> variable.
AMBIENT: Final[Mapping[str, str]] = {
    "api_version": "AZURE_API_VERSION",
    "aws_region_name": "AWS_REGION",
    "aws_profile_name": "AWS_PROFILE",
    "aws_access_key_id": "AWS_ACCESS_KEY_ID",
    "aws_secret_access_key": "AWS_SECRET_ACCESS_KEY",
    "aws_session_token": "AWS_SESSION_TOKEN",
    "vertex_project": "VERTEXAI_PROJECT",
    "vertex_ai_project": "VERTEXAI_PROJECT",
    "vertex_location": "VERTEXAI_LOCATION",
    "vertex_ai_location": "VERTEXAI_LOCATION",
    "vertex_credentials": "GOOGLE_APPLICATION_CREDENTIALS",
    "organization": "OPENAI_ORGANIZATION",
    "region_name": "AWS_REGION",
    "tenant_id": "AZURE_TENANT_ID",
    "client_id": "AZURE_CLIENT_ID",
    "client_secret": "AZURE_CLIENT_SECRET",
}
_REASONS: Final[Mapping[str, str]] = {
    "rpm": "there are no limits of requests a minute yet; only how two deployments share traffic was read from it",
    "tpm": "there are no limits of tokens a minute yet; only how two deployments share traffic was read from it",
    "max_budget": "there are no budgets yet",
    "budget_duration": "there are no budgets yet",
    "timeout": "time limits belong to a policy (timeouts:), not to a model",
    "stream_timeout": "time limits belong to a policy (timeouts:), not to a model",
    "max_retries": "retries are fixed: three tries in all, and none after an error that another try cannot cure",
    "tags": "deployments are chosen by tier; a rule with 'when: {tag: …}' sends tagged requests to a tier",
    "drop_params": "requests travel as the caller wrote them",
    "mock_response": "no model is asked for one; use a scripted server",
    "base_model": "write the price of the model under 'price:'",
    "id": "deployments are known by their name",
    "team_id": "say in the key file which models a key may name",
    "access_groups": "say in the key file which models a key may name",
    "litellm_credential_name": "name the key of the upstream as env:NAME or file:PATH",
}
_PARAMETER: Final = "no setting adds parameters to a caller's request; let the caller send it"
_CHAT_MODES: Final = frozenset({"chat", "responses", None})


@dataclass(slots=True)
class Model:
    """One deployment, on its way over.

    Attributes:
        public: the name that callers say.
        model: its name at the upstream; upstream: our name of that.
        settings: what else stands under ``tiers:``.
        weight: its part of the traffic of its name, where one is said.
        line: where it stands.
    """

    public: str
    provider: str
    model: str
    upstream: str
    line: int
    file: str
    embedding: bool = False
    base_model: str | None = None
    weight: float | None = None
    settings: dict[str, Any] = field(default_factory=dict)


class Models:
    """The whole list.

    Args:
        tale: what becomes of each part is told there.
        file: the name of the file.
        env: for addresses that are named by a variable; ours are written out.
    """

    def __init__(self, tale: Tale, file: str, env: Mapping[str, str]) -> None:
        self.upstreams: dict[str, dict[str, Any]] = {}
        self.found: list[Model] = []
        self.routers: list[tuple[str, Tree]] = []
        self._tale, self._file, self._env = tale, file, env

    def read(self, listing: Tree | None) -> None:
        """Every entry of ``model_list``."""
        if listing is not None and not isinstance(listing.value, list):
            self._say("lost", listing.account(), "is not a list of models")
            return
        for entry in listing or ():
            self._entry(entry)

    def _say(self, kind: Kind, tree: Tree, words: str) -> None:
        self._tale.say(kind, self._file, tree.line, tree.path, words)

    def _entry(self, entry: Tree) -> None:
        params = entry.get("litellm_params")
        public, name = entry.text("model_name"), params.text("model") if params is not None else None
        if params is None or public is None or name is None:
            self._say("lost", entry.account(), "needs a model_name and litellm_params.model")
            return
        if name.startswith("auto_router/"):
            self.routers.append((public, entry))
            return
        info = entry.get("model_info")
        mode = info.text("mode") if info is not None else None
        why = self._unfit(public, name, mode)
        if why:
            self._say("lost", entry.account(), why)
            return
        provider, bare = self._provider(name, params.text("custom_llm_provider"))
        upstream = self._upstream(provider, params, entry)
        if upstream is None:
            return
        kind = self.upstreams[upstream]["kind"]
        full = name if name.startswith(f"{provider}/") or not provider else f"{provider}/{name}"
        model = Model(public, provider, bare if kind == "openai" else full, upstream, entry.line, self._file)
        guessed = mode is None and "embed" in name.lower()
        model.embedding = mode == "embedding" or guessed
        if model.embedding and model.model != public:
            self._say("lost", entry, f"the name {public!r}: callers of embeddings must say {model.model!r}")
        if guessed:
            self._say("guess", entry, f"{public!r} is taken for an embeddings model by its name")
        self._facts(model, params, info)
        for tree in [params, *([info] if info is not None else [])]:
            self._rest(tree, entry)
        for tree in entry.entries().values():
            if tree is not params and tree is not info:
                self._rest(tree, entry)
        self.found.append(model)
        where = f"{model.model!r} at the upstream {upstream!r}"
        self._tale.say("carried", self._file, entry.line, entry.path, f"{public!r} is {where}")

    @staticmethod
    def _unfit(public: str, name: str, mode: str | None) -> str:
        if "*" in public or "*" in name:
            return f"{public!r} is a pattern: list by name the models that your callers ask for"
        if mode == "embedding" or mode in _CHAT_MODES:
            return ""
        return f"{public!r} is a model of the kind {mode!r}; chat and embeddings are served here"

    @staticmethod
    def _provider(name: str, said: str | None) -> tuple[str, str]:
        """The provider, and the model's name without it. Empty where LiteLLM itself would look the name up."""
        head, _, rest = name.partition("/")
        if said:
            return said, rest if rest and head == said else name
        if _OPENAI_NAMES.match(name):
            return "openai", name
        return (head, rest) if rest else ("", name)

    # --- upstreams

    def _upstream(self, provider: str, params: Tree, entry: Tree) -> str | None:
        """Our name of the upstream; None, told, where it cannot be one."""
        wire = provider in WIRE
        address, fine = self._address(params)
        if not fine:
            self._say("lost", entry.account(), "it cannot be served without its address")
            return None
        base = address or WIRE.get(provider)
        if wire and base is None:
            self._say("lost", entry.account(), f"its provider {provider!r} needs an api_base")
            return None
        key = self._key(params, provider, wire=wire, own=address is None)
        wanted: dict[str, Any] = {"kind": "openai" if wire else "litellm"}
        wanted |= {name: value for name, value in (("base_url", base), ("api_key", key)) if value}
        for name, known in self.upstreams.items():
            if known == wanted and name.split("-")[0] == (provider or "litellm"):
                return name
        name = _free(re.sub(r"[^A-Za-z0-9_]", "_", provider) or "litellm", self.upstreams)
        self.upstreams[name] = wanted
        return name

    def _address(self, params: Tree) -> tuple[str | None, bool]:
        """The address, and whether it could be found."""
        for name in ("api_base", "base_url"):
            tree = params.get(name)
            value = params.text(name)
            if tree is None or value is None:
                continue
            if value.startswith(ENV):
                variable = value.removeprefix(ENV)
                if variable not in self._env:
                    words = (
                        f"the address is in the variable {variable}, which is not set here: set it and run this again"
                    )
                    self._say("lost", tree, words)
                    return None, False
                value = self._env[variable]
            parts = urlsplit(value)
            if parts.scheme not in {"http", "https"} or parts.username or parts.password:
                self._say("lost", tree, "the address must begin with https:// or http:// and hold no user or password")
                return None, False
            return value.rstrip("/"), True
        return None, True

    def _key(self, params: Tree, provider: str, *, wire: bool, own: bool) -> str | None:
        tree = params.get("api_key")
        value = params.text("api_key")
        if tree is None or value is None:
            if provider in _OWN_KEY and not own:
                words = f"no key is sent to this address; LiteLLM would have sent {_OWN_KEY[provider]}"
                self._say("guess", params, words)
            return f"env:{_OWN_KEY[provider]}" if wire and own and provider in _OWN_KEY else None
        if value.startswith(ENV):
            return f"env:{value.removeprefix(ENV)}"
        variable = f"{re.sub('[^A-Z0-9]', '_', (provider or 'model').upper())}_KEY_OF_LINE_{tree.line}"
        self._say("lost", tree, f"a key that is written out is not repeated: put it into the variable {variable}")
        return f"env:{variable}"

    # --- what else is known

    def _facts(self, model: Model, params: Tree, info: Tree | None) -> None:
        """Price, window, abilities and weight of a chat model; of one for embeddings nothing is kept."""
        if model.embedding:
            return
        self._price(model, [tree for tree in (params, info) if tree is not None])
        if info is not None:
            model.base_model = info.text("base_model")
            if model.base_model and "price" not in model.settings:
                self._say("lost", info.entries()["base_model"], _REASONS["base_model"])
            window = info.number("max_input_tokens")
            if window and window > 0:
                model.settings["context_window"] = int(window)
            for ours, theirs in (("tools", "supports_function_calling"), ("images", "supports_vision")):
                if info.truth(theirs) is False:
                    model.settings[ours] = False
        weights = [params.number(name) for name in ("weight", "rpm", "tpm")]
        model.weight = next((weight for weight in weights if weight), None)
        for name in ("rpm", "tpm"):
            if (limit := params.get(name)) is not None:
                self._say("lost", limit, _REASONS[name])

    def _price(self, model: Model, both: Sequence[Tree]) -> None:
        """A price of one's own, where both ends of it are said."""
        prices = {
            ours: next((n for n in (tree.number(theirs) for tree in both) if n is not None), None)
            for ours, theirs in (
                ("input", "input_cost_per_token"),
                ("output", "output_cost_per_token"),
                ("cached_input", "cache_read_input_token_cost"),
            )
        }
        if prices["input"] is not None and prices["output"] is not None:
            price = {name: round(value * 1e6, 9) for name, value in prices.items() if value is not None}
            model.settings["price"] = price
        elif any(value is not None for value in prices.values()):
            words = "a price needs both input and output; without them the price book is asked"
            self._say("lost", both[0], words)

    def _rest(self, tree: Tree, entry: Tree) -> None:
        """Everything that was not carried, each with its reason."""
        for left in list(tree.left()):
            name = left.path.rsplit(".", 1)[-1]
            if name in AMBIENT:
                words = f"set {AMBIENT[name]} in the gateway's environment, where it holds for all models alike"
                self._say("lost", left, words)
            elif left.path.startswith(f"{entry.path}.litellm_params"):
                self._say("lost", left, _REASONS.get(name, _PARAMETER))
            else:
                self._say("lost", left, _REASONS.get(name, "there is no setting for it here"))
        tree.account()


def _free(name: str, taken: Mapping[str, object]) -> str:
    """A name that is not taken: itself, else with a number."""
    if name not in taken:
        return name
    number = 2
    while f"{name}-{number}" in taken:
        number += 1
    return f"{name}-{number}"
