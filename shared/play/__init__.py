"""The simulated programme: scenario and the events its sources emit; pure."""
