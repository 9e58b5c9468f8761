"""Where readings go: tables, files, MQTT, Home Assistant."""
