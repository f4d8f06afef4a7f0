// Converts files with dcmjs-codecs, as its users do: peer_dcmjs.mjs SYNTAX FOLDER FILE...

import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";

console.warn = () => {}; // else each private element is a line
const require = createRequire(import.meta.url);
const { NativeCodecs, Transcoder } = require("dcmjs-codecs");

const uids = {
  "explicit-le": "1.2.840.10008.1.2.1",
  "implicit-le": "1.2.840.10008.1.2",
  rle: "1.2.840.10008.1.2.5",
  jpeg: "1.2.840.10008.1.2.4.50",
  "jpeg-lossless": "1.2.840.10008.1.2.4.70",
  "jpeg-ls": "1.2.840.10008.1.2.4.80",
  "jpeg-ls-near": "1.2.840.10008.1.2.4.81",
  "jpeg2000-lossless": "1.2.840.10008.1.2.4.90",
  "htj2k-lossless": "1.2.840.10008.1.2.4.201",
  "jpegxl-lossless": "1.2.840.10008.1.2.4.110",
};

const [syntax, folder, ...names] = process.argv.slice(2);
const build = dirname(require.resolve("dcmjs-codecs"));
await NativeCodecs.initializeAsync({
  webAssemblyModulePathOrUrl: join(build, "dcmjs-native-codecs.wasm"),
});
for (const name of names) {
  const bytes = readFileSync(name);
  const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
  const transcoder = new Transcoder(buffer);
  transcoder.transcode(uids[syntax], { quality: 90, allowedLossyError: 2 });
  writeFileSync(join(folder, basename(name)), Buffer.from(transcoder.getDicomPart10()));
}
