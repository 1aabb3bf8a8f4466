"""What a graph is made of; nothing here knows a kernel."""
