"""What other gateways and eval tools wrote, carried over: every part is carried or named, none skipped in silence."""
