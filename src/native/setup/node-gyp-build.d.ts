declare module "node-gyp-build" {
  /** Requires the addon in the folder; `resolve` says which file that is. Both throw when there is none. */
  function load(folder: string): unknown;
  namespace load {
    function resolve(folder: string): string;
  }
  export = load;
}
