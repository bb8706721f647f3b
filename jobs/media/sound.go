package media

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"fiducial/internal/audio"
)

// WAV is the content type of the one format of sound that is read without a converter.
const WAV = "audio/wav"

// Bounds of a conversion.
const (
	convertPatience = 30 * time.Minute
	convertedMost   = 4 << 30 // bytes
)

// soundFormat is a format of sound: what people call it, how its files begin, and how ffmpeg is told to read it. Without a
// beginning it is raw, and only its extension tells.
type soundFormat struct {
	contentType, name, demuxer string
	begins                     string
	at                         int // where it begins so
	extensions                 []string
}

var soundFormats = []soundFormat{
	{contentType: WAV, name: "WAV", demuxer: "wav", begins: "WAVE", at: 8},
	{contentType: "audio/flac", name: "FLAC", demuxer: "flac", begins: "fLaC"},
	{contentType: "audio/ogg", name: "Ogg", demuxer: "ogg", begins: "OggS"},
	{contentType: "audio/mp4", name: "MP4", demuxer: "mov", begins: "ftyp", at: 4},
	{contentType: "audio/mpeg", name: "MP3", demuxer: "mp3", begins: "ID3"},
	{contentType: "audio/aiff", name: "AIFF", demuxer: "aiff", begins: "FORM"},
	{contentType: "audio/basic", name: "Sun AU", demuxer: "au", begins: ".snd"},
	{contentType: "audio/amr", name: "AMR", demuxer: "amr", begins: "#!AMR"},
	{contentType: "audio/webm", name: "WebM", demuxer: "matroska", begins: "\x1a\x45\xdf\xa3"},
	{contentType: "audio/x-caf", name: "Core Audio", demuxer: "caf", begins: "caff"},
	{contentType: "audio/x-w64", name: "Wave64", demuxer: "w64", begins: "riff"},
	{contentType: "audio/x-ms-wma", name: "Windows Media", demuxer: "asf", begins: "\x30\x26\xb2\x75"},
	{contentType: "audio/aac", name: "AAC", demuxer: "aac", begins: "\xff\xf1"},
	{contentType: "audio/aac", name: "AAC", demuxer: "aac", begins: "\xff\xf9"},
	{contentType: "audio/mpeg", name: "MP3", demuxer: "mp3", begins: "\xff\xfb"},
	{contentType: "audio/mpeg", name: "MP3", demuxer: "mp3", begins: "\xff\xf3"},
	{contentType: "audio/mpeg", name: "MP3", demuxer: "mp3", begins: "\xff\xf2"},
	{contentType: "audio/mpeg", name: "MP3", demuxer: "mp3", begins: "\xff\xfa"},
	{contentType: "audio/g722", name: "G.722", demuxer: "g722", extensions: []string{".g722"}},
	{contentType: "audio/gsm", name: "GSM", demuxer: "gsm", extensions: []string{".gsm"}},
}

// SoundType tells the content type of a file of sound by how it begins, and of raw telephone sound by its name; "" for what a
// converter cannot read either.
func SoundType(head []byte, name string) string {
	for _, f := range soundFormats {
		if f.begins != "" && len(head) >= f.at && bytes.HasPrefix(head[f.at:], []byte(f.begins)) {
			return f.contentType
		}
	}
	for _, f := range soundFormats {
		for _, extension := range f.extensions {
			if strings.EqualFold(path.Ext(name), extension) {
				return f.contentType
			}
		}
	}
	return ""
}

// soundExtensions are what files of sound are called.
var soundExtensions = []string{
	".wav", ".wave", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".mp4", ".m4a", ".aac", ".aif", ".aiff", ".au", ".amr", ".webm", ".wma", ".caf", ".w64",
	".g722", ".gsm", ".sph",
}

// SoundExtension tells whether a file with this extension is one of sound.
func SoundExtension(extension string) bool {
	return slices.Contains(soundExtensions, strings.ToLower(extension))
}

// SoundName is what people call a content type of SoundType.
func SoundName(contentType string) string {
	for _, f := range soundFormats {
		if f.contentType == contentType {
			return f.name
		}
	}
	return contentType
}

// Converter is the program that reads what the product does not.
type Converter struct{ program string }

// FindConverter finds ffmpeg on this machine.
func FindConverter() Converter {
	program, err := exec.LookPath("ffmpeg")
	if err != nil {
		return Converter{}
	}
	return Converter{program}
}

// ConverterAt is the converter that lies at this path.
func ConverterAt(program string) Converter { return Converter{program} }

// There tells whether the converter is installed.
func (c Converter) There() bool { return c.program != "" }

// Program is where it lies, "" where it is not installed.
func (c Converter) Program() string { return c.program }

// Convert decodes the first track of a sound of this content type into a WAV file of 16 bit PCM. Both files may be seeked in, and
// nothing else is opened, whatever the sound says. It returns an *audio.RefusedError for a sound that cannot be decoded.
func (c Converter) Convert(ctx context.Context, contentType string, from, to *os.File) error {
	name, demuxer := SoundName(contentType), ""
	for _, f := range soundFormats {
		if f.contentType == contentType {
			demuxer = f.demuxer
		}
	}
	if !c.There() {
		return &audio.RefusedError{Reason: audio.Foreign, Sentence: name +
			" needs ffmpeg on the server: install it (apt-get install ffmpeg) and import the file again, or convert it to WAV."}
	}
	timed, cancel := context.WithTimeout(ctx, convertPatience)
	defer cancel()
	// The two files are 3 and 4 of the program, under which it opens them by itself: they have no names.
	program := exec.CommandContext(timed, c.program, "-nostdin", "-hide_banner", "-loglevel", "error", //nolint:gosec // found on the path
		"-protocol_whitelist", "file,pipe", "-f", demuxer, "-i", "/dev/fd/3", "-map", "0:a:0", "-vn", "-sn", "-dn", "-map_metadata", "-1",
		"-c:a", "pcm_s16le", "-fs", strconv.Itoa(convertedMost), "-f", "wav", "-y", "/dev/fd/4")
	program.ExtraFiles = []*os.File{from, to}
	program.Env = []string{"PATH=/usr/bin:/bin", "LC_ALL=C"}
	err := program.Run()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if _, failed := errors.AsType[*exec.ExitError](err); err != nil && !failed && timed.Err() == nil {
		return fmt.Errorf("ffmpeg: %w", err)
	}
	if err != nil {
		return &audio.RefusedError{Reason: audio.Damaged, Sentence: fmt.Sprintf(
			"ffmpeg could not decode the file as %s: it is damaged, or holds no sound. Copy it again from where it was recorded, or convert it to WAV.", name)}
	}
	info, err := to.Stat()
	if err != nil {
		return fmt.Errorf("ffmpeg: %w", err)
	}
	if info.Size() >= convertedMost-(1<<20) {
		return &audio.RefusedError{Reason: audio.Damaged, Sentence: "Decoded, the sound has more than 4 GB: split it into several files."}
	}
	return nil
}
