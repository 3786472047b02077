// Everything here only adds comfort: each page works without it.
import { startCopying } from "./copying.js";
import { startKeys } from "./keys.js";
import { startRebuilding } from "./rebuilding.js";
import { startStaying } from "./staying.js";
import { startUploading } from "./uploading.js";
import { startViewer } from "./viewer.js";
import { startWriting } from "./writing.js";

const viewer = startViewer();
startKeys(viewer);
startCopying();
startStaying();
startUploading();
startRebuilding();
startWriting();
