"""What the measuring machine is and what it does meanwhile: facts, clock, sensors, loop canary."""
