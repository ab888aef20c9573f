/** What a bundler puts in place (Vite by itself, esbuild by `define`); nothing without one. */
interface ImportMeta {
  readonly env?: { readonly VITE_BACKEND_URL?: string; readonly VITE_WS_URL?: string };
}
