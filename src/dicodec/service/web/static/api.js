// The service's interface: requests with the token, errors as sentences, events as they happen.

const KEY = "dicodec-token";
let askForToken = async () => {};

export class ServiceError extends Error {
  constructor(error, status) {
    super([error.message, error.hint].filter(Boolean).join("; "));
    this.code = error.code;
    this.status = status;
  }
}

export function onToken(ask) { askForToken = ask; }

export function setToken(token) { sessionStorage.setItem(KEY, token); }

function headers(more = {}) {
  const token = sessionStorage.getItem(KEY);
  return token ? { Authorization: `Bearer ${token}`, ...more } : more;
}

async function errorOf(response) {
  try {
    return new ServiceError((await response.json()).error, response.status);
  } catch {
    return new ServiceError({ code: "error", message: `status ${response.status}` }, response.status);
  }
}

// An id can hold any character; "/" among them.
export function jobUrl(id, more = "") { return `/api/jobs/${encodeURIComponent(id)}${more}`; }

export async function ask(path, options = {}) {
  for (;;) {
    const response = await fetch(path, { ...options, headers: headers(options.headers) });
    if (response.ok) return response;
    const error = await errorOf(response);
    if (error.status !== 401) throw error;
    await askForToken(Boolean(sessionStorage.getItem(KEY)));
  }
}

export async function askJson(path, options) { return (await ask(path, options)).json(); }

// Uploads tell how far they are, which fetch does not.
export function upload(path, file, progress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", path);
    for (const [name, value] of Object.entries(headers())) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => progress(event.loaded, event.total);
    request.onerror = () => reject(new ServiceError({ code: "network", message: "the service does not answer" }, 0));
    request.onload = () => {
      let answer = {};
      try { answer = JSON.parse(request.responseText); } catch { /* told below */ }
      if (request.status < 300) resolve(answer);
      else reject(new ServiceError(answer.error ?? { code: "error", message: `status ${request.status}` }, request.status));
    };
    const form = new FormData();
    form.append("file", file, file.name);
    request.send(form);
  });
}

// A page that shows a token cannot use EventSource, so the stream is read by hand.
export async function listen(heard, connected) {
  let last = null;
  for (;;) {
    try {
      const response = await ask("/api/events", { headers: last === null ? {} : { "Last-Event-ID": last } });
      connected(true);
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      let held = "";
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        held += value;
        const parts = held.split("\n\n");
        held = parts.pop();
        for (const part of parts) {
          const fields = Object.fromEntries(part.split("\n").map((line) => {
            const at = line.indexOf(":");
            return [line.slice(0, at), line.slice(at + 1).trim()];
          }));
          if (fields.id) last = fields.id;
          if (fields.data) heard(JSON.parse(fields.data));
        }
      }
    } catch { /* tried again */ }
    connected(false);
    await new Promise((resolve) => setTimeout(resolve, 2000));
  }
}

export async function download(path, name) {
  const blob = await (await ask(path)).blob();
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}
