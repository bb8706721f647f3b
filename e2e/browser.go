package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/playwright-community/playwright-go"
)

// Browser is a running Chromium and the driver that speaks to it.
type Browser struct {
	playwright.Browser

	driver *playwright.Playwright
}

// OpenBrowser starts Chromium: the one that E2E_CHROMIUM names, or this machine's, or else one that
// Playwright installs for itself.
func OpenBrowser() (*Browser, error) {
	options := &playwright.RunOptions{Browsers: []string{"chromium"}, Verbose: false}
	if err := prepareDriver(options); err != nil {
		return nil, err
	}
	chromium := installedChromium()
	options.SkipInstallBrowsers = chromium != ""
	if err := playwright.Install(options); err != nil {
		return nil, err
	}
	driver, err := playwright.Run(options)
	if err != nil {
		return nil, err
	}
	launch := playwright.BrowserTypeLaunchOptions{
		ChromiumSandbox: playwright.Bool(os.Geteuid() != 0), // Chromium's refuses root
		Args: append([]string{"--disable-background-networking", "--disable-component-update", "--force-color-profile=srgb"},
			strings.Fields(os.Getenv("E2E_CHROMIUM_ARGS"))...),
	}
	if chromium != "" {
		launch.ExecutablePath = &chromium
	}
	browser, err := driver.Chromium.Launch(launch)
	if err != nil {
		return nil, errors.Join(err, driver.Stop())
	}
	return &Browser{Browser: browser, driver: driver}, nil
}

// Close ends the browser and its driver.
func (b *Browser) Close() error { return errors.Join(b.Browser.Close(), b.driver.Stop()) }

func installedChromium() string {
	if path := os.Getenv("E2E_CHROMIUM"); path != "" {
		return path
	}
	for _, name := range []string{"chromium", "chromium-browser"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// prepareDriver puts the driver where playwright-go looks for it. Its own download is from servers
// that are gone; npm has the same files, and node comes from PATH.
func prepareDriver(options *playwright.RunOptions) error {
	node, err := exec.LookPath("node")
	if err != nil {
		return fmt.Errorf("the browser's driver needs Node 20 or newer: %w", err)
	}
	if err := os.Setenv("PLAYWRIGHT_NODEJS_PATH", node); err != nil {
		return err
	}
	root, err := projectRoot()
	if err != nil {
		return err
	}
	driver, err := playwright.NewDriver(options)
	if err != nil {
		return err
	}
	dir := filepath.Join(root, "bin", "playwright-"+driver.Version)
	options.DriverDirectory = dir
	if _, err := os.Stat(filepath.Join(dir, "package")); err == nil {
		return nil
	}
	// playwright-go patches the files, so it gets a copy, made aside for whoever starts at the same time.
	aside := fmt.Sprintf("%s-%d", dir, os.Getpid())
	if err := os.CopyFS(filepath.Join(aside, "package"), os.DirFS(filepath.Join(root, "node_modules", "playwright-core"))); err != nil {
		return fmt.Errorf("the browser's driver is missing: run 'make build', which installs node_modules: %w", err)
	}
	if err := os.Rename(aside, dir); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return os.RemoveAll(aside)
}
