/** Quieter than this is shown as nothing, in dB of full scale. */
const FLOOR_DB = -60;

/** Root mean square of samples in -1 to 1. */
export function rms(samples: Float32Array): number {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return samples.length === 0 ? 0 : Math.sqrt(sum / samples.length);
}

/** How far a meter goes, 0 to 1, for a root mean square in 0 to 1. */
export function meterLevel(level: number): number {
  const db = 20 * Math.log10(Math.max(level, 1e-6));
  return Math.min(1, Math.max(0, 1 - db / FLOOR_DB));
}
