"""What sessions cost by who decides, and real agents' conversations read by the router."""
