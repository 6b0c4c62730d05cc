"""The product: a pure core that decides, thin edges that speak HTTP, SQL and to models."""
