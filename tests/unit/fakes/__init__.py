"""Small strict stand-ins for what tests do not want to drag in whole."""
