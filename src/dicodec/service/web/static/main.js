// Puts the parts of the page together: a token if need be, then numbers, jobs and events.

import { listen, onToken, setToken } from "./api.js";
import * as convert from "./convert.js";
import * as jobs from "./jobs.js";
import * as status from "./status.js";
import * as viewer from "./viewer.js";

const SOON = 400;
const OFTEN = 5000;

let asking = null;
onToken((refused) => {
  asking ??= new Promise((resolve) => {
    const dialog = document.getElementById("token");
    const input = document.getElementById("token-input");
    document.getElementById("token-words").textContent = refused ? "That is not the token." : "";
    document.getElementById("token-form").onsubmit = (event) => {
      event.preventDefault();
      setToken(input.value.trim());
      input.value = "";
      dialog.close();
      asking = null;
      resolve();
    };
    dialog.oncancel = (event) => event.preventDefault();
    if (!dialog.open) dialog.showModal();
  });
  return asking;
});

let due = 0;
async function refresh() {
  clearTimeout(due);
  due = setTimeout(refresh, OFTEN);
  if (document.hidden) return;
  try { await Promise.all([status.refresh(), jobs.refresh()]); } catch { /* the connection is told of elsewhere */ }
}

let soon = 0;
function heard(event) {
  convert.heard(event);
  jobs.heard(event);
  // However many events there are, the lists are asked for a few times a second at most.
  soon ||= setTimeout(() => { soon = 0; refresh(); }, SOON);
}

function connected(is) {
  const words = document.getElementById("connection");
  words.textContent = is ? "live" : "no connection; trying again";
  words.className = `connection ${is ? "live" : "lost"}`;
  if (is) { convert.lookAgain(); refresh(); }
}

jobs.setUp();
viewer.setUp();
const first = await status.refresh();
await convert.setUp(first.upload_limit);
await jobs.refresh();
due = setTimeout(refresh, OFTEN);
document.addEventListener("visibilitychange", refresh);
listen(heard, connected);
document.body.dataset.ready = "true";
