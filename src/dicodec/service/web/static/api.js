// The service's interface: requests with the token, errors as sentences, events as they happen.

const KEY = "dicodec-token";
const MOST_TRIES = 6;
const BUSY = [429, 503];
let askForToken = async () => {};

export class ServiceError extends Error {
  constructor(error, status, wait) {
    super([error.message, error.hint].filter(Boolean).join("; "));
    this.code = error.code;
    this.status = status;
    this.wait = Number(wait) || 2;
  }
}

export function onToken(ask) { askForToken = ask; }

export function setToken(token) { sessionStorage.setItem(KEY, token); }

function headers(more = {}) {
  const token = sessionStorage.getItem(KEY);
  return token ? { Authorization: `Bearer ${token}`, ...more } : more;
}

function errorOf(text, status, wait) {
  let error = null;
  try { ({ error } = JSON.parse(text)); } catch { /* a proxy's answer, perhaps */ }
  return new ServiceError(error ?? { code: "error", message: `status ${status}` }, status, wait);
}

// A service that has too much to do says so, and is asked again; others' errors are final.
async function withPatience(attempt) {
  for (let tries = 1; ; tries += 1) {
    try { return await attempt(); } catch (error) {
      if (!BUSY.includes(error.status) || tries === MOST_TRIES) throw error;
      await new Promise((resolve) => setTimeout(resolve, 1000 * error.wait));
    }
  }
}

// An id can hold any character; "/" among them.
export function jobUrl(id, more = "") { return `/api/jobs/${encodeURIComponent(id)}${more}`; }

export function ask(path, options = {}) { return withPatience(() => askOnce(path, options)); }

async function askOnce(path, options) {
  for (;;) {
    const response = await fetch(path, { ...options, headers: headers(options.headers) });
    if (response.ok) return response;
    const error = errorOf(await response.text(), response.status, response.headers.get("Retry-After"));
    if (error.status !== 401) throw error;
    await askForToken(Boolean(sessionStorage.getItem(KEY)));
  }
}

export async function askJson(path, options) { return (await ask(path, options)).json(); }

// Many teams may share a service; an address with "?tenant=NAME" shows the work of one.
export const tenant = new URLSearchParams(location.search).get("tenant");

export function withTenant(parameters) {
  if (tenant) parameters.set("tenant", tenant);
  return parameters;
}

export function upload(path, file, progress) { return withPatience(() => uploadOnce(path, file, progress)); }

// Uploads tell how far they are, which fetch does not.
function uploadOnce(path, file, progress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", path);
    for (const [name, value] of Object.entries(headers())) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => progress(event.loaded, event.total);
    request.onerror = () => reject(new ServiceError({ code: "network", message: "the service does not answer" }, 0));
    request.onload = () => {
      if (request.status < 300) resolve(JSON.parse(request.responseText));
      else reject(errorOf(request.responseText, request.status, request.getResponseHeader("Retry-After")));
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
  const address = URL.createObjectURL(blob);
  follow(address, name);
  setTimeout(() => URL.revokeObjectURL(address), 60000);
}

// Results go straight to the disk: the address carries no token, but can be used only once.
export async function downloadZip(files) {
  const { url } = await askJson("/api/downloads", { method: "POST", body: JSON.stringify({ files }) });
  follow(url, "dicodec.zip");
}

function follow(address, name) {
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
}
