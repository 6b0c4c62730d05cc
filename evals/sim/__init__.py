"""A deterministic simulator of cells, upstreams and callers. Virtual time, seeded dice, no asyncio.

What decides is not modelled, it is the product's own: ``router.core.cells`` places tenants, ``router.core.plan`` says
whom to ask, ``router.core.resilience`` lets in, turns away, opens and closes. Only the world around it is modelled.
"""
