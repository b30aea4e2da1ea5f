import { readdir, stat } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import type sharpModule from 'sharp';
import { PruneError } from '../errors.js';
import type { Examples, ModelInput } from './batch.js';
import { formatShape } from './inputs.js';
import type { DataOptions } from './options.js';
import { imageTarget, PixelPacker, type ImageTarget, type Pixels } from './pixels.js';

const extensions = new Set(['.jpg', '.jpeg', '.png', '.webp', '.avif', '.gif', '.tif', '.tiff']);

interface ImageFile {
  readonly path: string;
  readonly label: number | undefined;
}

interface Frame {
  readonly resize: number | undefined;
  readonly height: number;
  readonly width: number;
  readonly channels: 1 | 3;
}

type Sharp = typeof sharpModule;

/**
 * Examples from a folder of images: each sub-folder is a class, without sub-folders there are no labels.
 * Files are decoded when their batch comes, by `sharp`, an optional peer dependency loaded here and only here.
 * Resizing is linear with antialiasing, as in torchvision's evaluation presets; EXIF rotation is not applied, as there.
 * @throws PruneError `invalid-data` for a folder without images or an image that can't be decoded.
 */
export async function imageFolderExamples(
  folder: string,
  input: ModelInput,
  options: DataOptions,
): Promise<Examples> {
  const target = imageTarget(input, options.layout);
  const frame = frameOf(target, options);
  const packer = new PixelPacker(target, options);
  const files = await listImages(folder, options.classes);
  const sharp = await loadSharp();
  const { height, width, channels } = frame;
  return {
    count: files.length,
    ...(files[0]?.label === undefined ? {} : { labels: Int32Array.from(files, ({ label }) => label!) }),
    elementsPerExample: channels * height * width,
    description: `${basename(folder)}, images ${channels} × ${height} × ${width} as ${packer.description}`,
    async read(indices) {
      const images = Array.from(indices, (index) => decode(sharp, files[index]!.path, frame));
      return { [input.name]: packer.pack(await Promise.all(images)) };
    },
  };
}

async function loadSharp(): Promise<Sharp> {
  try {
    return (await import('sharp')).default;
  } catch (error) {
    throw new PruneError(
      'invalid-data',
      "images are decoded by 'sharp', which can't be loaded; npm install sharp",
      {
        cause: error,
      },
    );
  }
}

function frameOf(target: ImageTarget, { crop, resize }: DataOptions): Frame {
  const [height, width] = typeof crop === 'number' ? [crop, crop] : (crop ?? [target.height, target.width]);
  if (height === undefined || width === undefined) {
    const shape = `input '${target.input.name}' ${formatShape(target.input.dims)} has no fixed image size`;
    throw new PruneError('invalid-option', `${shape}; give crop, such as 224`);
  }
  if (resize !== undefined && resize < Math.max(height, width)) {
    throw new PruneError(
      'invalid-option',
      `invalid resize: ${resize}; give at least the crop, ${Math.max(height, width)}`,
    );
  }
  return { resize, height, width, channels: target.channels === 1 ? 1 : 3 };
}

async function listImages(folder: string, classes: readonly string[] | undefined): Promise<ImageFile[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    throw new PruneError('invalid-data', `can't read folder '${folder}'; check the path`, { cause: error });
  });
  const names =
    classes ??
    sortedClasses(
      entries.filter((entry) => entry.isDirectory() && !entry.name.startsWith('.')).map(({ name }) => name),
    );
  const files: ImageFile[] = [];
  for (const [position, name] of names.entries()) {
    const label = !classes && names.every(isNumber) ? Number(name) : position;
    for (const path of await imagesIn(join(folder, name))) files.push({ path, label });
  }
  if (files.length === 0) {
    for (const path of await imagesIn(folder)) files.push({ path, label: undefined });
  }
  if (files.length > 0) return files;
  throw new PruneError('invalid-data', `no images in '${folder}'; give ${[...extensions].join(', ')} files`);
}

const isNumber = (name: string) => /^\d+$/.test(name);

/** By number where all names are numbers, else by code unit, which does not depend on the locale. */
function sortedClasses(names: string[]): string[] {
  return names.every(isNumber) ? names.sort((a, b) => Number(a) - Number(b)) : names.sort();
}

async function imagesIn(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch((error: unknown) => {
    throw new PruneError('invalid-data', `can't read class folder '${folder}'; check its name`, {
      cause: error,
    });
  });
  const images = names.filter((name) => extensions.has(extname(name).toLowerCase()) && !name.startsWith('.'));
  return images.sort().map((name) => join(folder, name));
}

async function decode(sharp: Sharp, path: string, frame: Frame): Promise<Pixels> {
  const { height, width, channels } = frame;
  try {
    // A pipe would be waited for.
    if (!(await stat(path)).isFile()) throw new Error('it is no file');
    const image = sharp(path);
    const { width: sourceWidth, height: sourceHeight } = await image.metadata();
    let pipeline = image.removeAlpha().toColourspace(channels === 1 ? 'b-w' : 'srgb');
    if (frame.resize !== undefined || sourceWidth !== width || sourceHeight !== height) {
      const shorter = frame.resize ?? Math.round((Math.max(height, width) * 256) / 224);
      const ratio = shorter / Math.min(sourceWidth, sourceHeight);
      const [w, h] = [Math.round(sourceWidth * ratio), Math.round(sourceHeight * ratio)];
      const place = { left: Math.round((w - width) / 2), top: Math.round((h - height) / 2), width, height };
      pipeline = pipeline
        .resize(w, h, { fit: 'fill', kernel: 'linear', fastShrinkOnLoad: false })
        .extract(place);
    }
    const { data, info } = await pipeline.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true });
    return { data, channels: info.channels, height: info.height, width: info.width, planar: false };
  } catch (error) {
    const reason = error instanceof Error ? error.message.split('\n')[0] : String(error);
    throw new PruneError('invalid-data', `can't decode image '${path}' (${reason}); replace or remove it`, {
      cause: error,
    });
  }
}
