"""What an operator may write under ``limits`` in ``stillhouse.yaml``: who may use how much, and where that is kept."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from policies.schema import Strict
from router.core.limits import FIELDS, Allowance

_Count = Annotated[int, Field(ge=1, le=10**12)]
_Usd = Annotated[float, Field(gt=0, le=10**9)]
_Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]


class AllowanceSettings(Strict):
    """What one key, team or tenant may use; what is not written is without limit."""

    requests_per_minute: _Count | None = None
    tokens_per_minute: _Count | None = None
    parallel: _Count | None = None
    usd_per_day: _Usd | None = None
    usd_per_month: _Usd | None = None

    def allowance(self) -> Allowance:
        """The same as a value of the core."""
        return Allowance(**{name: getattr(self, name) for name in FIELDS.values()})


class TenantLimits(AllowanceSettings):
    """A tenant, and its teams by name."""

    teams: dict[_Name, AllowanceSettings] = Field(default_factory=dict)


class LimitSettings(Strict):
    """All limits that do not stand in the key file, and how they are kept."""

    store: Annotated[str, Field(min_length=1)] | None = None
    when_away: Literal["refuse", "serve"] = "refuse"
    wait: Annotated[float, Field(ge=0, le=60)] = 5.0
    each_key: AllowanceSettings | None = None
    each_team: AllowanceSettings | None = None
    each_tenant: AllowanceSettings | None = None
    tenants: dict[_Name, TenantLimits] = Field(default_factory=dict)

    @field_validator("store")
    @classmethod
    def _no_secret(cls, store: str | None) -> str | None:
        if store is not None and "://" in store and urlsplit(store).password:
            raise ValueError("a URL with a password does not belong here; write env:NAME or file:PATH")
        return store

    @property
    def any(self) -> bool:
        """Whether a limit is set here at all."""
        return bool(self.each_key or self.each_team or self.each_tenant or self.tenants)
