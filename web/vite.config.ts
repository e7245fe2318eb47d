/**
 * Two builds into one folder: the pages with hashed assets, then (`--mode element`) the custom element as
 * one self-contained file at a stable name. Same sources and lock, same bytes: the result is committed.
 */
import { fileURLToPath } from 'node:url';
import { defineConfig, type UserConfig } from 'vite';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

const outDir = process.env.COLLAB_STATIC_DIR ?? here('../collab/api/static');

/** Those that know light-dark() by themselves: rewritten, it would not follow the page around an element. */
const cssTarget = ['chrome123', 'firefox120', 'safari17.5'];

const pages: UserConfig = {
  base: './', // the server says where it is mounted, by <base href>
  build: {
    outDir,
    emptyOutDir: true,
    target: 'es2022',
    cssTarget,
    modulePreload: { polyfill: false },
    license: { fileName: 'licenses.md' },
    chunkSizeWarningLimit: 1000,
    rolldownOptions: {
      input: { documents: here('index.html'), editor: here('editor.html') },
      output: {
        entryFileNames: 'assets/[name]-[hash].js',
        chunkFileNames: 'assets/[name]-[hash].js',
        assetFileNames: 'assets/[name]-[hash][extname]',
      },
    },
  },
};

const element: UserConfig = {
  publicDir: false,
  build: {
    outDir,
    emptyOutDir: false,
    target: 'es2022',
    cssTarget,
    chunkSizeWarningLimit: 1000,
    lib: { entry: here('src/collab-editor.ts'), formats: ['es'], fileName: () => 'collab-editor.js' },
    rolldownOptions: { output: { codeSplitting: false, minify: true } },
  },
};

export default defineConfig(({ mode }) => (mode === 'element' ? element : pages));
