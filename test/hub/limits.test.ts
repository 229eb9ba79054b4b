/** Hubs and mirrors that never end: each answer is capped, with an error that names where it came from. */
import type { ServerResponse } from "node:http";
import type * as timers from "node:timers/promises";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { HubError, resolveFolder } from "../../src/hub";
import { freshHub, noise } from "./fixtures";
import { commit, gitSha1, type HubServer } from "./server";

// Pauses between tries take no time here.
vi.mock("node:timers/promises", async (original) => ({
  ...(await original<typeof timers>()),
  setTimeout: async () => undefined,
}));

const model = { "config.json": "{}", "model.safetensors": noise(200_000) };
const tree = `/api/models/owner/tiny/tree/${commit("c0")}`;

async function refusal(): Promise<HubError> {
  const error = await resolveFolder("owner/tiny").then(
    () => expect.fail("it was fetched"),
    (reason: unknown) => reason as HubError,
  );
  expect(error).toBeInstanceOf(HubError);
  return error;
}

/** A hub with a model, whose listing is answered by `answer`, which is told how often that was asked for. */
async function hubListing(answer: (response: ServerResponse, count: number, hub: HubServer) => void): Promise<HubServer> {
  const { hub } = await freshHub();
  hub.add("models/owner/tiny", model);
  let count = 0;
  hub.intercept = (_, response, { path }) => {
    if (path !== tree) return false;
    answer(response, count++, hub);
    return true;
  };
  return hub;
}

const entry = { type: "file", path: "config.json", size: 2, oid: gitSha1("{}") };
const page = (response: ServerResponse, next: string, entries: unknown = [entry]) =>
  response.writeHead(200, { link: `<${next}>; rel="next"` }).end(JSON.stringify(entries));

/** Writes a byte now and then until the connection is closed. From now on the clock shows 45 s more each time. */
function trickle(response: ServerResponse): void {
  if (!vi.isMockFunction(performance.now)) {
    let time = performance.now();
    const spy = vi.spyOn(performance, "now").mockImplementation(() => (time += 45_000));
    onTestFinished(() => spy.mockRestore());
  }
  const timer = setInterval(() => response.write(" "), 1);
  response.on("close", () => clearInterval(timer));
}

describe("a listing", () => {
  test("with pages without end", async () => {
    const hub = await hubListing((response, n, { url }) => void page(response, `${url}${tree}?cursor=${n}`));
    expect((await refusal()).message).toBe(
      `Expected the answer of a Hugging Face hub from ${hub.url}${tree} but received more than 500 pages`,
    );
  });

  test("whose next page is itself", async () => {
    const hub = await hubListing((response, _, { url }) => void page(response, `${url}${tree}?cursor=1`));
    expect((await refusal()).message).toContain(
      `from ${hub.url}${tree} but received an answer that names itself as the next page`,
    );
    expect(hub.log).toHaveLength(3);
  });

  test("whose body does not end", async () => {
    const block = Buffer.alloc(1 << 20, " ");
    const hub = await hubListing((response) => {
      const more = () => {
        while (!response.destroyed && response.write(block));
      };
      response.on("drain", more);
      more();
    });
    expect((await refusal()).message).toContain(`from ${hub.url}${tree} but received more than 33554432 bytes`);
  });

  test("that trickles", async () => {
    const hub = await hubListing(trickle);
    expect((await refusal()).message).toContain(`from ${hub.url}${tree} but received answers that take longer than 10 minutes`);
  });

  test("that redirects in a circle", async () => {
    const hub = await hubListing((response, _, { url }) => void response.writeHead(302, { location: `${url}${tree}` }).end());
    expect((await refusal()).message).toContain(`from ${hub.url}${tree} but received more than 20 redirects`);
  });

  test.each<[string, unknown]>([
    ["of null", [null]],
    ["that is a number", 3],
    ["that is an object", {}],
    ["of lists", [[]]],
    ["with a line break in a name", [{ ...entry, path: "a\nb.json" }]],
    ["with an escape in a name", [{ ...entry, path: "\u001b[2J.json" }]],
    ["with a name that is a list", [{ ...entry, path: ["config.json"] }]],
    ["with a digest that is none", [{ ...entry, oid: null }]],
  ])("%s", async (_, entries) => {
    const hub = await hubListing((response) => void response.end(JSON.stringify(entries)));
    const { message, reason } = await refusal();
    expect(reason).toBe(JSON.stringify(entries) === "[[]]" ? "unusable" : "unreachable");
    expect(message).not.toMatch(/iterable|undefined|Cannot read/);
    if (reason === "unreachable") expect(message).toContain(`${hub.url} does not answer as a Hugging Face hub does`);
  });
});

describe("a file", () => {
  test("that trickles", async () => {
    const { hub } = await freshHub();
    hub.add("models/owner/tiny", model);
    hub.intercept = (_, response, { cdn }) => {
      if (cdn) trickle(response);
      return cdn;
    };
    const { message } = await refusal();
    expect(message).toMatch(/^model\.safetensors of .*owner\/tiny stopped after \d+ of 200000 bytes: .* only \d+ bytes in 60 s/);
  });

  test("that arrives in crumbs, one per connection", async () => {
    const { hub } = await freshHub();
    hub.add("models/owner/tiny", model);
    const whole = model["model.safetensors"];
    hub.intercept = (request, response, { cdn }) => {
      if (!cdn) return false;
      const from = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
      response.writeHead(206, { "content-range": `bytes ${from}-${whole.length - 1}/${whole.length}` });
      response.end(whole.subarray(from, from + 10));
      return true;
    };
    expect((await refusal()).message).toMatch(/stopped after 50 of 200000 bytes: the connection ended early/);
  });
});
