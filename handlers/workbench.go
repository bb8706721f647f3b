package handlers

import (
	"encoding/json"
	"fmt"

	"fiducial/store"
	"fiducial/web"
)

// thumbHref is the address of an item's small picture, "" where the items are sound.
func thumbHref(item int64, kind string) string {
	if kind == "audio" {
		return ""
	}
	return itemMediaHref(item, "thumb")
}

// itemMediaHref is the address of a rendition of an item.
func itemMediaHref(item int64, kind string) string {
	return fmt.Sprintf("/media/items/%d/%s", item, kind)
}

// workbenchImage is an item's picture: its display rendition and, for 16-bit images, the one that
// keeps every grey value.
func workbenchImage(item int64, name string, width, height int, assets []store.WorkAsset) web.WorkbenchImage {
	image := web.WorkbenchImage{Src: itemMediaHref(item, "display"), Width: width, Height: height, Alt: "Image " + name}
	for _, a := range assets {
		var window web.WorkbenchWindow
		if a.Kind == "window" && json.Unmarshal(a.Facts, &window) == nil {
			window.Src = itemMediaHref(item, "window")
			image.Window = &window
		}
	}
	return image
}
