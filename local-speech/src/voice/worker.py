"""Speaks for nexus-local-speech: one JSON line in, one header line and raw samples out."""
import json
import os
import sys

sys.path.insert(0, sys.argv[1])
out = os.fdopen(os.dup(1), "wb")
os.dup2(2, 1)  # what libraries print is no audio

import numpy
from hibari import Hibari

voice = Hibari()
for line in sys.stdin.buffer:
    order = json.loads(line)
    try:
        audio = voice(order["text"], speed=order["speed"], seed=1)
    except Exception:  # a text that it cannot read is silence, not the end of the voice
        audio = numpy.zeros(0, numpy.float32)
    samples = (numpy.clip(audio, -1.0, 1.0) * 32767.0).astype("<i2").tobytes()
    header = json.dumps({"rate": voice.sample_rate, "bytes": len(samples)})
    out.write(header.encode() + b"\n" + samples)
    out.flush()
