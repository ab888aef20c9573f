// The edge's only hand-written JavaScript: what would otherwise cross the border between JavaScript
// and WebAssembly many times crosses it once here. It decides nothing; Rust does.
import { waitUntil } from "cloudflare:workers";

// The request line and the named headers as lines: method, URL, then one value for each name, empty if
// it is not there. No part of them can hold a line break.
export function requestHead(request, names) {
  const lines = [request.method, request.url];
  const headers = request.headers;
  for (const name of names) lines.push(headers.get(name) ?? "");
  return lines.join("\n");
}

// All of a body whose length is known to be within bounds.
export async function bodyWhole(request) {
  return new Uint8Array(await request.arrayBuffer());
}

// All of a body of unknown length, or null as soon as it is longer than `limit`.
export async function bodyLimited(stream, limit) {
  const reader = stream.getReader();
  const chunks = [];
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    length += value.byteLength;
    if (length > limit) {
      reader.cancel().catch(() => {});
      return null;
    }
    chunks.push(value);
  }
  const whole = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.byteLength;
  }
  return whole;
}

// `lines`: name and value by turns. An object, because it costs the runtime much less than pairs do; a
// repeated name becomes a list, which is wrong for cookies alone, and the API sets none.
const headersOf = (lines) => {
  const parts = lines.split("\n");
  const headers = {};
  for (let i = 0; i + 1 < parts.length; i += 2) {
    const [name, value] = [parts[i], parts[i + 1]];
    headers[name] = name in headers ? `${headers[name]}, ${value}` : value;
  }
  return headers;
};

// The bytes are a view of WebAssembly's memory, which the next call may overwrite: copied.
export function respondBytes(status, headers, bytes) {
  return new Response(bytes.slice(), { status, headers: headersOf(headers) });
}

// `stream` is null for an answer without a body.
export function respondStream(status, headers, stream) {
  return new Response(stream, { status, headers: headersOf(headers) });
}

// `statements` is JSON: [[sql, [parameter, …]], …]. Answers one line of JSON for each, an array of
// row objects.
export async function d1Batch(db, statements) {
  const prepared = JSON.parse(statements).map(([sql, parameters]) => {
    const statement = db.prepare(sql);
    return parameters.length ? statement.bind(...parameters) : statement;
  });
  const results = await db.batch(prepared);
  return results.map((result) => JSON.stringify(result.results)).join("\n");
}

// How many objects are asked for ahead of the one that is being sent.
const READ_AHEAD = 3;

// As an object of R2's: `byte` over and over, `length` times.
const filled = (byte, length) => ({
  body: new ReadableStream({
    pull(controller) {
      const size = Math.min(length, 65536);
      if (size === 0) return controller.close();
      controller.enqueue(new Uint8Array(size).fill(byte));
      length -= size;
    },
  }),
});

// One stream of `head` and then each part; `parts` is JSON: [[key, offset, length], …], or for a part
// that is one byte over and over [null, byte, length]. Null if the first object does not exist.
export async function r2Stitch(bucket, head, parts) {
  head = head.slice(); // a view of WebAssembly's memory
  const plan = JSON.parse(parts);
  const queue = [];
  let next = 0;
  const ask = () => {
    if (next >= plan.length) return;
    const [key, offset, length] = plan[next++];
    const object = key === null ? Promise.resolve(filled(offset, length)) : bucket.get(key, { range: { offset, length } });
    object.catch(() => {}); // heard when its turn comes
    queue.push(object);
  };
  const giveUp = () => {
    for (const object of queue) object.then((o) => o?.body.cancel()).catch(() => {});
  };

  ask();
  const first = plan.length ? await queue.shift() : undefined;
  if (first === null) return null;
  while (queue.length < READ_AHEAD && next < plan.length) ask();

  const total = plan.reduce((sum, [, , length]) => sum + length, head.byteLength);
  const { readable, writable } = new FixedLengthStream(total);
  const send = async () => {
    try {
      if (head.byteLength) {
        const writer = writable.getWriter();
        await writer.write(head);
        writer.releaseLock();
      }
      for (let object = first, sent = 0; object !== undefined; sent += 1) {
        if (object === null) {
          const event = { level: "error", event: "stored_part_missing", key: plan[sent][0] };
          console.error(JSON.stringify(event));
          throw new Error("a stored part is missing");
        }
        await object.body.pipeTo(writable, { preventClose: true, preventAbort: true });
        object = await queue.shift(); // undefined after the last
        ask();
      }
      await writable.close();
    } catch (error) {
      // Mostly a client that went away: nothing to report.
      giveUp();
      await writable.abort(error).catch(() => {});
    }
  };
  waitUntil(send());
  return readable;
}
