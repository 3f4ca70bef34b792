"""What the processes behind the gateway share: their start, gauges, connections, options and end."""
