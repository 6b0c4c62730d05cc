"""Configurations of existing proxies that steer each tenant to its cells. Pure: values in, text out."""
