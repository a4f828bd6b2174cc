"""Deciding what to measure next and measuring it. Given sessions, clock, sensors and ``emit``; opens nothing itself."""
