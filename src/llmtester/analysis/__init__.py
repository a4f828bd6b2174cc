"""From observations to meaning. Pure: no clock, no file, no network; equal input gives equal output."""
