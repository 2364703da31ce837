"""Bills CrewAI crews and flows through Keito."""
