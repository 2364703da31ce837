"""Bills agents through the GenAI spans that they emit."""
