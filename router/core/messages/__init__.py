"""Anthropic's Messages protocol and OpenAI chat, translated both ways. Pure.

| | request | whole answer | stream |
|---|---|---|---|
| a caller speaks Messages | ``to_chat`` | ``answer`` | ``events`` |
| a model's server speaks Messages | ``from_chat`` | ``heard`` | ``heard`` |

Chat in between carries what it has no word for in members of its own (*extras*): ``cache_control``,
``thinking_blocks``, parts of the type ``document``, and ``anthropic`` for whole settings. Every text of an extra lies
under a key that ``router.core.wire`` reads, so guards see it. ``plain`` takes the extras out for servers that speak
chat alone.
"""
