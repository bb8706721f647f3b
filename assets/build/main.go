// Command build bundles assets/src and assets/css into assets/dist with
// hashed names and a manifest. It is run from the root of the repository,
// after npm ci.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

const dist = "assets/dist"

func main() {
	watch := flag.Bool("watch", false, "build again whenever a source changes, with source maps")
	tests := flag.String("tests", "", "bundle the unit tests into this `folder` instead, for node --test")
	flag.Parse()
	if err := run(*watch, *tests); err != nil {
		fmt.Fprintln(os.Stderr, "assets/build:", err)
		os.Exit(1)
	}
}

func run(watch bool, tests string) error {
	if _, err := os.Stat("node_modules/htmx.org"); err != nil {
		return errors.New("node_modules is missing: run npm ci in the root of the repository first")
	}
	if tests != "" {
		return buildTests(tests)
	}
	options, err := options(watch)
	if err != nil {
		return err
	}
	if !watch {
		return failed(api.Build(options))
	}
	build, buildErr := api.Context(options)
	if buildErr != nil {
		return buildErr
	}
	defer build.Dispose()
	if err := build.Watch(api.WatchOptions{}); err != nil {
		return fmt.Errorf("watch: %w", err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	<-ctx.Done()
	return nil
}

// options describes one build of every entry: assets/src/NAME/index.ts becomes
// NAME-HASH.js, and assets/css/index.css becomes index-HASH.css.
func options(watch bool) (api.BuildOptions, error) {
	sources, err := filepath.Glob("assets/src/*/index.ts")
	if err != nil {
		return api.BuildOptions{}, fmt.Errorf("list entries: %w", err)
	}
	entries := []api.EntryPoint{{InputPath: "assets/css/index.css", OutputPath: "index"}}
	for _, source := range sources {
		entries = append(entries, api.EntryPoint{InputPath: source, OutputPath: filepath.Base(filepath.Dir(source))})
	}
	sourceMaps := api.SourceMapNone
	if watch {
		sourceMaps = api.SourceMapLinked
	}
	return api.BuildOptions{
		EntryPointsAdvanced: entries,
		Outdir:              dist,
		EntryNames:          "[name]-[hash]", AssetNames: "[name]-[hash]", ChunkNames: "chunk-[hash]",
		Bundle: true, Splitting: true, Format: api.FormatESModule, Platform: api.PlatformBrowser, Target: api.ES2022,
		MinifyWhitespace: true, MinifyIdentifiers: true, MinifySyntax: true,
		Sourcemap: sourceMaps, LegalComments: api.LegalCommentsLinked,
		Metafile: true, LogLevel: api.LogLevelWarning,
		Loader:  map[string]api.Loader{".woff2": api.LoaderFile, ".svg": api.LoaderFile},
		Plugins: []api.Plugin{{Name: "write", Setup: writeDist}},
	}, nil
}

// writeDist replaces assets/dist after each build that succeeded, so that a
// typing mistake during -watch leaves the last good build in place.
func writeDist(build api.PluginBuild) {
	build.OnEnd(func(result *api.BuildResult) (api.OnEndResult, error) {
		if len(result.Errors) > 0 {
			return api.OnEndResult{}, nil
		}
		return api.OnEndResult{}, publish(result)
	})
}

func buildTests(folder string) error {
	tests, err := filepath.Glob("assets/src/*/*.test.ts")
	if err != nil {
		return fmt.Errorf("list tests: %w", err)
	}
	if err := os.RemoveAll(folder); err != nil {
		return fmt.Errorf("empty %s: %w", folder, err)
	}
	var entries []api.EntryPoint
	for _, test := range tests {
		name := strings.TrimSuffix(strings.TrimPrefix(filepath.ToSlash(test), "assets/src/"), ".ts")
		entries = append(entries, api.EntryPoint{InputPath: test, OutputPath: strings.ReplaceAll(name, "/", "-")})
	}
	return failed(api.Build(api.BuildOptions{
		EntryPointsAdvanced: entries, Outdir: folder, OutExtension: map[string]string{".js": ".mjs"},
		Bundle: true, Write: true, Format: api.FormatESModule, Platform: api.PlatformNode, Target: api.ES2022,
		Sourcemap: api.SourceMapInline, LogLevel: api.LogLevelWarning,
		Loader: map[string]api.Loader{".css": api.LoaderEmpty},
	}))
}

// failed says that a build had errors; esbuild has printed them already.
func failed(result api.BuildResult) error {
	if len(result.Errors) > 0 {
		return fmt.Errorf("%d errors, see above", len(result.Errors))
	}
	return nil
}
