package dev.featx.digest;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/** SHA-256 in hexadecimal, which identifies network files and verifies the files of a table. */
public final class Sha256 {
  private Sha256() {}

  /** Returns the digest of bytes. */
  public static String of(byte[] bytes) {
    MessageDigest digest = newDigest();
    digest.update(bytes);
    return of(digest);
  }

  /**
   * Returns the digest of a file, without loading it into memory.
   *
   * @throws IOException if it can't be read
   */
  public static String of(Path file) throws IOException {
    try (DigestInputStream stream = new DigestInputStream(Files.newInputStream(file), newDigest())) {
      stream.transferTo(OutputStream.nullOutputStream());
      return of(stream.getMessageDigest());
    }
  }

  /** Completes a digest that was updated in parts. */
  public static String of(MessageDigest digest) {
    return HexFormat.of().formatHex(digest.digest());
  }

  /** Returns a new digest. */
  public static MessageDigest newDigest() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }
}
