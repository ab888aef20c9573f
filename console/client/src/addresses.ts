/** Where a deployment is. */
export interface Addresses {
  /** The API's origin, without a trailing slash; empty: the page's own. */
  backend: string;
  /** Put in place of the voice address's origin that the API answers; empty: none. */
  voice: string;
}

const clean = (address: string | undefined) => (address ?? "").trim().replace(/\/+$/, "");

/**
 * The deployment that this page belongs to: the page's own origin, in development and in production
 * alike, unless the build names others (`VITE_BACKEND_URL`, `VITE_WS_URL`).
 */
export function addresses(env: ImportMeta["env"] = import.meta.env): Addresses {
  return { backend: clean(env?.VITE_BACKEND_URL), voice: clean(env?.VITE_WS_URL) };
}

/** The address to open: the one that the API answered, on the origin that the build names if it does. */
export function voiceAddress(answered: string, { voice }: Addresses): string {
  if (voice === "") return answered;
  const url = new URL(answered);
  return voice.replace(/^http/, "ws") + url.pathname + url.search;
}
