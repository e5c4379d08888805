// Copies an image as skopeo does, with containers/image itself: sigstore and all, which Debian's skopeo leaves out.
//
//	imagecopy POLICY REGISTRIES.D SOURCE DESTINATION
//
// The policy decides about every image, also about each instance of an index; registries are spoken to by plain HTTP.
// Exit code 1 and a line on standard error when the policy or anything else stands against it.
package main

import (
	"context"
	"fmt"
	"os"

	"go.podman.io/image/v5/copy"
	"go.podman.io/image/v5/signature"
	"go.podman.io/image/v5/transports/alltransports"
	"go.podman.io/image/v5/types"
)

// The fingerprint of these files, which scripts/peers.py looks for.
var source string

func main() {
	if len(os.Args) != 5 {
		fail(fmt.Errorf("four arguments are needed, not %d", len(os.Args)-1))
	}
	fail(run(os.Args[1], os.Args[2], os.Args[3], os.Args[4]))
}

func run(policyFile, registries, from, to string) error {
	policy, err := signature.NewPolicyFromFile(policyFile)
	if err != nil {
		return err
	}
	context_, err := signature.NewPolicyContext(policy)
	if err != nil {
		return err
	}
	defer context_.Destroy()
	source, err := alltransports.ParseImageName(from)
	if err != nil {
		return err
	}
	destination, err := alltransports.ParseImageName(to)
	if err != nil {
		return err
	}
	system := &types.SystemContext{
		RegistriesDirPath:           registries,
		DockerInsecureSkipTLSVerify: types.OptionalBoolTrue,
	}
	options := &copy.Options{SourceCtx: system, DestinationCtx: system, ImageListSelection: copy.CopyAllImages}
	_, err = copy.Image(context.Background(), context_, destination, source, options)
	return err
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
