"""What a machine has for pipelines, what TensorFlow would take of it, and what stands in the way."""

from safedata.diagnosis.examination import Examination, Runtime
from safedata.diagnosis.examine import examine

__all__ = ["Examination", "Runtime", "examine"]
