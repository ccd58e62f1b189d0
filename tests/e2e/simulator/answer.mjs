// An answer as data, so that faults can be put into it: {status, headers, frames, cut}.

// Runs a handler written for a ServerResponse and keeps what it writes.
export function capture(handler) {
  return new Promise((done, fail) => {
    const answer = { status: 200, headers: {}, frames: [], cut: false };
    const out = {
      writeHead(status, headers = {}) { answer.status = status; answer.headers = headers; return out; },
      write(bytes) { answer.frames.push(Buffer.from(bytes)); return true; },
      end(bytes) { if (bytes !== undefined) answer.frames.push(Buffer.from(bytes)); done(answer); },
      destroy() { answer.cut = true; done(answer); },
    };
    Promise.resolve(handler(out)).catch(fail);
  });
}

// Writes it. `split`: bytes per write; `cut`: break off after so many bytes (-1: half).
export function emit(res, answer, { split = 0, cut } = {}) {
  const whole = Buffer.concat(answer.frames.map((f) => Buffer.from(f)));
  const headers = Object.fromEntries(Object.entries(answer.headers).filter(([name]) => name.toLowerCase() !== 'content-length'));
  const streamed = split > 0 || cut !== undefined || answer.cut || answer.frames.length > 1;
  res.writeHead(answer.status, streamed ? headers : { ...headers, 'content-length': whole.length });
  res.flushHeaders();
  let pieces = answer.frames.map((f) => Buffer.from(f));
  const end = cut === undefined ? whole.length : cut < 0 ? whole.length >> 1 : cut;
  if (split > 0 || cut !== undefined) {
    const size = split > 0 ? split : Math.max(end, 1);
    pieces = [];
    for (let at = 0; at < end; at += size) pieces.push(whole.subarray(at, Math.min(at + size, end)));
  }
  res.socket?.setNoDelay(true);
  let i = 0;
  const step = () => {
    if (i < pieces.length) { res.write(pieces[i++]); setImmediate(step); return; }
    if (cut !== undefined || answer.cut) res.destroy(); else res.end();
  };
  step();
}

// The frames of a captured answer with each event's JSON put through `wrap`.
export function wrapped(answer, wrap) {
  const frames = answer.frames.map((frame) => {
    const text = frame.toString();
    const event = /^data: (.*?)(\r?\n\r?\n)$/s.exec(text);
    return Buffer.from(event ? `data: ${JSON.stringify(wrap(JSON.parse(event[1])))}${event[2]}` : JSON.stringify(wrap(JSON.parse(text))));
  });
  return { ...answer, frames };
}

// Hands a captured answer on to a handler's `out`.
export function replay(out, answer) {
  out.writeHead(answer.status, answer.headers);
  for (const frame of answer.frames) out.write(frame);
  if (answer.cut) out.destroy(); else out.end();
}
