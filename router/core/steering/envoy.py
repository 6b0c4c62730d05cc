"""Steering by Envoy: three files, of which it reads two again whenever they are replaced.

``envoy.yaml`` is the process; ``clusters.yaml`` says which lists of cells there are, ``routes.yaml`` whose key goes
where. A new key, a moved tenant or a new cell therefore takes effect without a restart, once the files are replaced in
one step each (a rename), the clusters first.

Why so: each cell is checked once, in a cluster of its own; a tenant's list of cells is an *aggregate* cluster over
those, so that a second cell is used while the first is down, and by the one retry (``previous_priorities``). Keys are
matched by how the header begins, in a tree, so ten thousand keys cost what ten do. Panic routing is off: a cell that
is down gets nothing, even if all are.
"""

from __future__ import annotations

import ipaddress
from typing import Any

import yaml

from router.core.steering.base import (
    HEALTH,
    NOBODY,
    READY,
    REFUSAL,
    TWO_KEYS,
    Place,
    Steering,
    prefixes,
    route_name,
)

Json = dict[str, Any]

_API = "type.googleapis.com/envoy"
_MANY = 1_000_000
"""Limits of the proxy's own that must never be reached: a cell knows best when it is full, and says so."""

_RETRY_ON = {
    "unsent": "connect-failure,refused-stream,reset-before-request",
    "unanswered": "connect-failure,refused-stream,reset-before-request,reset",
}
MAIN, CLUSTERS, ROUTES = "envoy.yaml", "clusters.yaml", "routes.yaml"


def files(steering: Steering, folder: str) -> dict[str, str]:
    """The files by name, in the order in which they must be replaced.

    Args:
        steering: what to say.
        folder: where they will lie, absolute: the first names the others.
    """
    return {
        CLUSTERS: _text(clusters(steering)),
        ROUTES: _text(routes(steering)),
        MAIN: _text(bootstrap(steering, folder)),
    }


def _text(value: Json) -> str:
    head = "# Made by 'stillhouse cells proxy'; changes are lost when it is made again. It holds no secret.\n"
    return head + yaml.safe_dump(value, sort_keys=False, width=120)


def bootstrap(steering: Steering, folder: str) -> Json:
    """``envoy.yaml``."""
    listener = {
        "name": "callers",
        "address": _address(steering.host, steering.port),
        "per_connection_buffer_limit_bytes": 1 << 20,
        "filter_chains": [{"filters": [_typed("http", "extensions.filters.network.http_connection_manager.v3."
                                               "HttpConnectionManager", **_http(steering, folder))]}],
    }  # fmt: skip
    return {
        "node": {"id": "stillhouse", "cluster": "stillhouse"},
        "dynamic_resources": {"cds_config": _watched(folder, CLUSTERS)},
        "static_resources": {"listeners": [listener]},
    }


def _http(steering: Steering, folder: str) -> Json:
    """How HTTP is spoken with callers."""
    return {
        "stat_prefix": "callers",
        "codec_type": "AUTO",
        "rds": {"route_config_name": "tenants", "config_source": _watched(folder, ROUTES)},
        "http_filters": [_typed("envoy.filters.http.router", "extensions.filters.http.router.v3.Router")],
        "stream_idle_timeout": _seconds(steering.timing.idle),
        "request_headers_timeout": "10s",
        "use_remote_address": True,
        "normalize_path": True,
        "generate_request_id": False,  # a cell makes its own, and the caller's travels on
        "server_header_transformation": "PASS_THROUGH",
        "local_reply_config": _own_answers(),
    }


def _own_answers() -> Json:
    """What Envoy says when no cell does, in the shape that clients of the API read."""

    def when(status: int, error: Json, *headers: Json) -> Json:
        code = {"default_value": status, "runtime_key": f"stillhouse.{status}"}
        return {
            "filter": {"status_code_filter": {"comparison": {"op": "EQ", "value": code}}},
            "body_format_override": {"json_format": {"error": error}},
            "headers_to_add": list(headers),
        }

    again = {"header": {"key": "retry-after", "value": "1"}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
    return {"mappers": [when(400, TWO_KEYS), when(401, REFUSAL), when(503, NOBODY, again)]}


# --- who goes where ----------------------------------------------------------------------------------


def routes(steering: Steering) -> Json:
    """``routes.yaml``."""
    matcher = _first(
        (_header_is(":path", "exact", HEALTH), _answer(200, "ok\n")),
        # Two keys joined into one header: what is steered by must be what is checked.
        (_header_is("authorization", "contains", ","), _answer(400, TWO_KEYS["message"] or "")),
        otherwise={"matcher": _by_key(steering)},
    )
    table = {
        "name": "tenants",
        "virtual_hosts": [{"name": "tenants", "domains": ["*"], "retry_policy": _retry(steering), "matcher": matcher}],
    }
    return _resources([{"@type": f"{_API}.config.route.v3.RouteConfiguration", **table}])


def _by_key(steering: Steering) -> Json:
    """A tree over how each header begins; the usual header first, then the one of Anthropic's clients."""
    bearer: Json = {}
    plain: Json = {}
    for key, cells in steering.keys.items():
        action = _to(steering, route_name(cells))
        bearer[prefixes(key)[0]], plain[prefixes(key)[1]] = action, action
    last = _to(steering, route_name((steering.strangers,))) if steering.strangers else _answer(401, "no key")
    return _tree("authorization", bearer, _tree("x-api-key", plain, last))


def _tree(header: str, found: Json, otherwise: Json) -> Json:
    if not found:  # Envoy refuses an empty map
        return otherwise if "matcher_tree" in otherwise else {"on_no_match": otherwise}
    tree = {"matcher_tree": {"input": _header(header), "prefix_match_map": {"map": found}}}
    return {**tree, "on_no_match": {"matcher": otherwise} if "matcher_tree" in otherwise else otherwise}


def _first(*cases: tuple[Json, Json], otherwise: Json) -> Json:
    matchers = [{"predicate": {"single_predicate": test}, "on_match": what} for test, what in cases]
    return {"matcher_list": {"matchers": matchers}, "on_no_match": otherwise}


def _header(name: str) -> Json:
    return _typed(name, "type.matcher.v3.HttpRequestHeaderMatchInput", header_name=name)


def _header_is(name: str, how: str, value: str) -> Json:
    return {"input": _header(name), "value_match": {how: value}}


def _route(**what: Any) -> Json:
    return {"action": _typed("route", "config.route.v3.Route", match={"prefix": "/"}, **what)}


def _to(steering: Steering, cluster: str) -> Json:
    # How long an answer may take is the policy's word, and the cell's to keep; here only silence counts.
    return _route(
        route={"cluster": cluster, "timeout": "0s", "idle_timeout": _seconds(steering.timing.idle)}
    )  # fmt: skip


def _answer(status: int, text: str) -> Json:
    return _route(direct_response={"status": status, "body": {"inline_string": text}})


def _retry(steering: Steering) -> Json:
    return {
        "retry_on": _RETRY_ON[steering.resend],
        "num_retries": 1,
        "retry_priority": _typed(
            "envoy.retry_priorities.previous_priorities",
            "extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig",
            update_frequency=1,
        ),
        "retry_back_off": {"base_interval": "0.001s", "max_interval": "0.01s"},
    }


# --- the cells ---------------------------------------------------------------------------------------


def clusters(steering: Steering) -> Json:
    """``clusters.yaml``: one cluster a cell, and one for each list of cells."""
    cells = [_cell(place, steering) for place in steering.places]
    return _resources(
        [{"@type": f"{_API}.config.cluster.v3.Cluster", **it}
         for it in (*cells, *(_list(route) for route in steering.routes()))]
    )  # fmt: skip


def _cell(place: Place, steering: Steering) -> Json:
    timing = steering.timing
    every = _seconds(timing.check_every)
    check = {
        "timeout": _seconds(timing.check_timeout), "interval": every, "no_traffic_interval": every,
        "unhealthy_threshold": timing.down_after, "healthy_threshold": timing.up_after,
        "http_health_check": {"path": READY},
    }  # fmt: skip
    endpoint = {"endpoint": {"address": _address(place.host, place.port)}}
    return {
        "name": place.name,
        "type": "STATIC" if _is_address(place.host) else "STRICT_DNS",
        "connect_timeout": _seconds(timing.connect),
        "load_assignment": {"cluster_name": place.name, "endpoints": [{"lb_endpoints": [endpoint]}]},
        "health_checks": [check],
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
        "circuit_breakers": _unlimited(),
    }


def _list(route: tuple[str, ...]) -> Json:
    return {
        "name": route_name(route),
        "connect_timeout": "1s",
        "lb_policy": "CLUSTER_PROVIDED",
        "cluster_type": _typed(
            "envoy.clusters.aggregate", "extensions.clusters.aggregate.v3.ClusterConfig", clusters=list(route)
        ),
        "circuit_breakers": _unlimited(),
    }


def _unlimited() -> Json:
    names = ("max_connections", "max_pending_requests", "max_requests", "max_retries")
    return {"thresholds": [dict.fromkeys(names, _MANY)]}


# --- small words -------------------------------------------------------------------------------------


def _typed(name: str, kind: str, **fields: Any) -> Json:
    return {"name": name, "typed_config": {"@type": f"{_API}.{kind}", **fields}}


def _resources(found: list[Json]) -> Json:
    return {"resources": found}


def _watched(folder: str, name: str) -> Json:
    return {"resource_api_version": "V3", "path_config_source": {"path": f"{folder}/{name}"}}


def _address(host: str, port: int) -> Json:
    return {"socket_address": {"address": host, "port_value": port}}


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _seconds(value: float) -> str:
    return f"{value:g}s"
