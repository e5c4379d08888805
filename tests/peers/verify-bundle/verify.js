// Verifies a Sigstore bundle about a digest with @sigstore/verify, the library of npm itself.
//
//   node verify.js BUNDLE SHA256 key PUBLIC_KEY
//   node verify.js BUNDLE SHA256 root TRUSTED_ROOT IDENTITY ISSUER
//
// Exit code 0 when it is good, 1 and a line on standard error when it is not.
const fs = require("node:fs");
const crypto = require("node:crypto");
const { bundleFromJSON } = require("@sigstore/bundle");
const { TrustedRoot } = require("@sigstore/protobuf-specs");
const { Verifier, toSignedEntity, toTrustMaterial } = require("@sigstore/verify");

const [file, digest, by, trust, identity, issuer] = process.argv.slice(2);

function byKey() {
  const key = crypto.createPublicKey(fs.readFileSync(trust));
  const rawBytes = key.export({ format: "der", type: "spki" });
  const material = toTrustMaterial(TrustedRoot.fromJSON({}), () => ({
    publicKey: key,
    validFor: () => true,
    rawBytes,
  }));
  return [new Verifier(material, { tlogThreshold: 0, ctlogThreshold: 0, timestampThreshold: 0 }), undefined];
}

function byIdentity() {
  const material = toTrustMaterial(TrustedRoot.fromJSON(JSON.parse(fs.readFileSync(trust, "utf8"))));
  const literally = new RegExp(`^${identity.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}$`);
  return [new Verifier(material), { subjectAlternativeName: literally, extensions: { issuer } }];
}

try {
  const bundle = bundleFromJSON(JSON.parse(fs.readFileSync(file, "utf8")));
  const [verifier, policy] = by === "key" ? byKey() : byIdentity();
  verifier.verify(toSignedEntity(bundle), policy);
  const statement = JSON.parse(bundle.content.dsseEnvelope.payload.toString("utf8"));
  if (!statement.subject.some((subject) => subject.digest.sha256 === digest)) {
    throw new Error("the statement is about something else");
  }
} catch (error) {
  console.error(String(error.message));
  process.exit(1);
}
