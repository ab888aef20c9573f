/** The first wait, in ms. */
const FIRST_MS = 250;
/** The longest wait, in ms. */
const LONGEST_MS = 4000;

/**
 * How long to wait before try number `attempt` (from 0). Half of it is chance, so that the clients
 * of a restarted server do not come back in the same moment. `random` is in [0, 1).
 */
export function backoff(attempt: number, random: number): number {
  const most = Math.min(LONGEST_MS, FIRST_MS * 2 ** attempt);
  return most / 2 + (most / 2) * random;
}
