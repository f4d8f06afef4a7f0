// Files from a drop or a choice, with those of folders and the folders' names.

// Returns {file, folder} for each file, in the order of their names; hidden files are left out.
export async function collectDropped(transfer) {
  // Entries have to be taken at once: after the first wait the list is empty.
  const entries = [...transfer.items].filter((one) => one.kind === "file").map((one) => [one.webkitGetAsEntry(), one.getAsFile()]);
  const found = [];
  for (const [entry, file] of entries) {
    if (entry?.isDirectory) await walk(entry, "", found);
    else if (file) found.push({ file, folder: "" });
  }
  return found;
}

export function collectChosen(files) {
  return [...files].map((file) => ({ file, folder: file.webkitRelativePath.split("/").slice(0, -1).join("/") }))
    .filter(({ file, folder }) => !folder || !isHidden(file.name));
}

async function walk(folder, above, found) {
  const path = above ? `${above}/${folder.name}` : folder.name;
  const entries = await list(folder);
  entries.sort((one, two) => one.name.localeCompare(two.name, "en", { numeric: true }));
  for (const entry of entries) {
    if (isHidden(entry.name)) continue;
    if (entry.isDirectory) await walk(entry, path, found);
    else found.push({ file: await new Promise((resolve, reject) => entry.file(resolve, reject)), folder: path });
  }
}

// A reader gives a hundred entries at a time.
async function list(folder) {
  const reader = folder.createReader();
  const all = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return all;
    all.push(...some);
  }
}

function isHidden(name) { return name.startsWith("."); }
