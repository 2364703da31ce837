"""Sends what is in a store, and asks Keito before anything is sent again."""
