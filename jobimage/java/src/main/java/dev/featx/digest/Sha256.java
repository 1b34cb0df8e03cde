package dev.featx.digest;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/** SHA-256 in hexadecimal digits, by which network files are known and files of a table can be checked. */
public final class Sha256 {
  private Sha256() {}

  /** Returns the digest of bytes. */
  public static String of(byte[] bytes) {
    MessageDigest taken = begun();
    taken.update(bytes);
    return of(taken);
  }

  /**
   * Returns the digest of a file, which is not read into memory.
   *
   * @throws IOException if it can't be read
   */
  public static String of(Path file) throws IOException {
    try (DigestInputStream stream = new DigestInputStream(Files.newInputStream(file), begun())) {
      stream.transferTo(OutputStream.nullOutputStream());
      return of(stream.getMessageDigest());
    }
  }

  /** Returns the digest of what was taken in part by part. */
  public static String of(MessageDigest taken) {
    return HexFormat.of().formatHex(taken.digest());
  }

  /** Returns a digest that has taken in nothing yet. */
  public static MessageDigest begun() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }
}
