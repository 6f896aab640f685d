"""What a pipeline does while it runs: time, elements and bytes by step, and which step the others wait for."""

from safedata.profiling.bottleneck import Bottleneck
from safedata.profiling.figures import Pace, Profile, StepProfile, Wait
from safedata.profiling.run import profile_verdict

__all__ = ["Bottleneck", "Pace", "Profile", "StepProfile", "Wait", "profile_verdict"]
