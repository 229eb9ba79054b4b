/**
 * A hub on this machine: the part of its API that fetching needs, as the real one answers. Files in LFS storage are
 * redirected to a second server, as to the CDN.
 */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname } from "node:path/posix";
import { onTestFinished } from "vitest";

export type Content = string | Buffer;

export interface HubRepo {
  /** The files at each commit. */
  commits: Record<string, Record<string, Content>>;
  /** Branches and tags. */
  refs: Record<string, string>;
  /** The token without which its files are not given out. */
  gated?: string;
}

export const sha256 = (content: Content) => createHash("sha256").update(content).digest("hex");
export const gitSha1 = (content: Content) =>
  createHash("sha1")
    .update(`blob ${Buffer.byteLength(content)}\0`)
    .update(content)
    .digest("hex");
const isLfs = (path: string) => /\.(safetensors|gguf|bin|parquet)$/.test(path);
export const digestOf = (path: string, content: Content) => (isLfs(path) ? sha256(content) : gitSha1(content));

/** A made-up commit that begins with `name`, which is hexadecimal. */
export const commit = (name: string) => name.padEnd(40, "0");

export interface LoggedRequest {
  method: string;
  /** The path, without the query. */
  path: string;
  range: string | undefined;
  authorization: string | undefined;
  cdn: boolean;
  status: number;
}

export class HubServer {
  readonly repos: Record<string, HubRepo> = {};
  readonly log: LoggedRequest[] = [];
  /** Answers instead of the hub when it returns true. */
  intercept: (request: IncomingMessage, response: ServerResponse, log: LoggedRequest) => boolean = () => false;
  url = "";
  /** Where it says that the further pages of a long answer are. A mirror passes on what the hub itself says. */
  pages = "https://huggingface.co";
  private cdn = "";
  private readonly servers: Server[] = [];

  /** A hub with nothing in it, closed when the test is done. */
  static async start(): Promise<HubServer> {
    const hub = new HubServer();
    hub.url = await hub.listen(false);
    hub.cdn = await hub.listen(true);
    onTestFinished(() => hub.stop());
    return hub;
  }

  /** Adds a repository with one commit, "c0", on `main`. `path` is `models/owner/name` or `datasets/owner/name`. */
  add(path: string, files: Record<string, Content>): HubRepo {
    return (this.repos[path] = { commits: { [commit("c0")]: files }, refs: { main: commit("c0") } });
  }

  /** Nobody answers any more. */
  stop(): void {
    for (const server of this.servers) {
      server.close();
      server.closeAllConnections();
    }
  }

  /** The bodies that were asked for, by file. */
  downloads(): LoggedRequest[] {
    return this.log.filter(({ path, status }) => path.includes("/resolve/") && status < 300);
  }

  private async listen(cdn: boolean): Promise<string> {
    const server = createServer((request, response) => {
      const path = decodeURIComponent(new URL(request.url!, "http://hub").pathname);
      const { range, authorization } = request.headers;
      const log = { method: request.method!, path, range, authorization, cdn, status: 0 };
      this.log.push(log);
      response.on("close", () => (log.status = response.statusCode));
      if (!this.intercept(request, response, log)) this.answer(request, response, path, cdn);
    });
    this.servers.push(server.listen(0, "127.0.0.1"));
    await once(server, "listening");
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  private answer(request: IncomingMessage, response: ServerResponse, path: string, cdn: boolean): void {
    const { searchParams } = new URL(request.url!, "http://hub");
    const token = request.headers.authorization?.replace("Bearer ", "");
    const fail = (status: number, code: string, message: string) => {
      const headers = { "x-error-code": code, "x-error-message": message, "content-type": "application/json" };
      response.writeHead(status, headers);
      response.end(request.method === "HEAD" ? undefined : JSON.stringify({ error: message }));
    };
    const find = (id: string, revision: string) => {
      const repo = this.repos[id];
      // As the hub: who is not logged in does not learn whether a repository is private or not there.
      if (!repo) return void fail(token ? 404 : 401, "RepoNotFound", "Repository not found");
      const sha = repo.refs[revision] ?? (repo.commits[revision] ? revision : undefined);
      if (!sha) return void fail(404, "RevisionNotFound", `Invalid rev id: ${revision}`);
      return { repo, sha, files: repo.commits[sha]! };
    };

    const info = /^\/api\/((?:models|datasets)\/.+?)\/revision\/(.+)$/.exec(path);
    if (info) {
      const found = find(info[1]!, info[2]!);
      if (!found) return;
      const siblings = Object.keys(found.files).map((rfilename) => ({ rfilename }));
      const id = info[1]!.replace(/^\w+\//, "");
      const state = { private: false, gated: false, downloads: 0, likes: 0, lastModified: "2026-01-01T00:00:00.000Z" };
      response.writeHead(200, { "content-type": "application/json" });
      return void response.end(JSON.stringify({ _id: "1", id, sha: found.sha, tags: [], siblings, ...state }));
    }

    const tree = /^\/api\/((?:models|datasets)\/.+?)\/tree\/(.+)$/.exec(path);
    if (tree) {
      const found = find(tree[1]!, tree[2]!);
      if (!found) return;
      const entries = treeOf(found.files);
      const [start, pageSize] = [Number(searchParams.get("cursor") ?? 0), 4];
      const next = start + pageSize;
      const link = `<${this.pages}/api/${tree[1]!}/tree/${tree[2]!}?recursive=true&cursor=${next}>; rel="next"`;
      response.writeHead(200, { "content-type": "application/json", ...(next < entries.length && { link }) });
      return void response.end(JSON.stringify(entries.slice(start, next)));
    }

    const resolve = /^\/(datasets\/)?(.+?)\/resolve\/([0-9a-zA-Z.]+)\/(.+)$/.exec(path);
    if (!resolve) return fail(404, "", "Not found");
    const found = find(`${resolve[1] ?? "models/"}${resolve[2]!}`, resolve[3]!);
    if (!found) return;
    const content = found.files[resolve[4]!];
    if (content === undefined) return fail(404, "EntryNotFound", "Entry not found");
    if (found.repo.gated && !cdn && token !== found.repo.gated)
      return fail(token ? 403 : 401, "GatedRepo", "Access to model is restricted");
    if (isLfs(resolve[4]!) && !cdn) {
      const linked = { "x-linked-etag": `"${sha256(content)}"`, "x-linked-size": Buffer.byteLength(content) };
      response.writeHead(302, { ...linked, "x-repo-commit": found.sha, location: `${this.cdn}${path}` });
      return void response.end();
    }
    const headers = { etag: `"${gitSha1(content)}"`, "x-repo-commit": found.sha };
    sendFile(request, response, Buffer.from(content as string), headers);
  }
}

/** Sends a file, or the part of it that is asked for. `until` stops there, with the connection open. */
export function sendFile(
  request: IncomingMessage,
  response: ServerResponse,
  bytes: Buffer,
  headers: Record<string, string> = {},
  until?: number,
): void {
  const start = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? -1);
  const from = Math.max(start, 0);
  response.writeHead(start >= 0 ? 206 : 200, {
    ...headers,
    "accept-ranges": "bytes",
    "content-length": bytes.length - from,
    ...(start >= 0 && { "content-range": `bytes ${start}-${bytes.length - 1}/${bytes.length}` }),
  });
  if (request.method === "HEAD") return void response.end();
  if (until === undefined) return void response.end(bytes.subarray(from));
  response.write(bytes.subarray(from, until));
}

function treeOf(files: Record<string, Content>): object[] {
  const folders = new Set(
    Object.keys(files)
      .map(dirname)
      .filter((folder) => folder !== "."),
  );
  const entries = Object.entries(files).map(([path, content]) => {
    const size = Buffer.byteLength(content);
    if (!isLfs(path)) return { type: "file", oid: gitSha1(content), size, path };
    const lfs = { oid: sha256(content), size, pointerSize: 130 };
    return { type: "file", oid: gitSha1(`version https://git-lfs.github.com/spec/v1\n${lfs.oid}`), size, lfs, path };
  });
  return [...[...folders].map((path) => ({ type: "directory", oid: commit("d1"), size: 0, path })), ...entries];
}
