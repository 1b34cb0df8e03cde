package dev.featx.source;

import dev.featx.failure.RunProblem;
import java.io.BufferedOutputStream;
import java.io.EOFException;
import java.io.File;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.OutputStream;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SeekableByteChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.NoSuchFileException;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.PosixFilePermissions;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.BufferedFSInputStream;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RawLocalFileSystem;
import org.apache.hadoop.fs.permission.FsPermission;
import org.apache.hadoop.util.Progressable;

/**
 * Local disks and volumes of the cluster (fs.file.impl), without Hadoop's helper processes.
 *
 * <p>Hadoop's raw file system writes no hidden .crc files and can read names with a colon, but runs a chmod process for each
 * file it creates. Every path is resolved by {@link ClaimFiles}, whoever uses it: readers of Parquet and tar, Delta, HBase.
 */
public final class LocalFiles extends RawLocalFileSystem {
  private static final int CHUNK = 1 << 20;

  private ClaimFiles claims = new ClaimFiles(null, false);

  @Override
  public void initialize(URI uri, Configuration conf) throws IOException {
    super.initialize(uri, conf);
    claims = ClaimFiles.of(conf);
  }

  /** Returns a path's file, without links if it is in a claim. Throws {@link RunProblem}: PathNotAllowed. */
  @Override
  public File pathToFile(Path path) {
    return claims.resolve(unresolved(path)).toFile();
  }

  /** Returns a path's file, whatever bytes its name has ({@link ImageKeys#path}). */
  private java.nio.file.Path unresolved(Path path) {
    String file = super.pathToFile(path).getPath();
    if (StandardCharsets.US_ASCII.newEncoder().canEncode(file)) {
      return java.nio.file.Path.of(file);
    }
    // Java encodes text by the locale, but takes the bytes of an address as they are.
    StringBuilder address = new StringBuilder("file://");
    for (byte value : ImageKeys.pathBytes(file)) {
      address.append(value == '/' ? "/" : String.format("%%%02X", value));
    }
    return java.nio.file.Path.of(URI.create(address.toString()));
  }

  @Override
  public FSDataInputStream open(Path path, int bufferSize) throws IOException {
    java.nio.file.Path file = unresolved(path);
    if (!claims.contain(file) && isText(file)) {
      return super.open(path, bufferSize);
    }
    return new FSDataInputStream(new BufferedFSInputStream(new ClaimStream(channel(file)), bufferSize));
  }

  @Override
  public FileStatus getFileStatus(Path path) throws IOException {
    java.nio.file.Path file = unresolved(path);
    if (isText(file)) {
      return super.getFileStatus(path);
    }
    try {
      BasicFileAttributes about = Files.readAttributes(claims.resolve(file), BasicFileAttributes.class);
      long changed = about.lastModifiedTime().toMillis();
      return new FileStatus(about.size(), about.isDirectory(), 1, getDefaultBlockSize(path), changed, path);
    } catch (NoSuchFileException e) {
      throw missing(file, e);
    }
  }

  /** Returns whether java.io.File, which Hadoop uses, can name a file. */
  private static boolean isText(java.nio.file.Path file) {
    try {
      return file.equals(java.nio.file.Path.of(file.toString()));
    } catch (InvalidPathException e) {
      return false;
    }
  }

  private SeekableByteChannel channel(java.nio.file.Path file) throws IOException {
    try {
      return claims.contain(file) ? claims.read(file) : Files.newByteChannel(claims.resolve(file));
    } catch (NoSuchFileException e) {
      throw missing(file, e);
    }
  }

  private static FileNotFoundException missing(java.nio.file.Path file, NoSuchFileException cause) {
    return (FileNotFoundException) new FileNotFoundException(file + " (No such file or directory)").initCause(cause);
  }

  @Override
  public FSDataOutputStream create(Path path, FsPermission permission, boolean overwrite, int bufferSize, short replication,
      long blockSize, Progressable progress) throws IOException {
    java.nio.file.Path file = unresolved(path);
    if (!claims.contain(file)) {
      return super.create(path, permission, overwrite, bufferSize, replication, blockSize, progress);
    }
    mkdirs(path.getParent());
    if (overwrite) {
      claims.delete(file, false);
    }
    OutputStream stream = new BufferedOutputStream(Channels.newOutputStream(claims.create(file)), bufferSize);
    return new FSDataOutputStream(stream, null);
  }

  @Override
  public FSDataOutputStream create(Path path, boolean overwrite, int bufferSize, short replication, long blockSize,
      Progressable progress) throws IOException {
    return create(path, FsPermission.getFileDefault(), overwrite, bufferSize, replication, blockSize, progress);
  }

  /** Creates a folder and those above it. */
  @Override
  public boolean mkdirs(Path path) throws IOException {
    java.nio.file.Path folder = unresolved(path);
    if (!claims.contain(folder)) {
      return super.mkdirs(path);
    }
    claims.makeFolders(folder);
    return true;
  }

  @Override
  public boolean mkdirs(Path path, FsPermission permission) throws IOException {
    if (!claims.contain(unresolved(path))) {
      return super.mkdirs(path, permission);
    }
    return mkdirs(path); // with the permissions that the volume's other folders get
  }

  @Override
  public boolean delete(Path path, boolean recursive) throws IOException {
    java.nio.file.Path file = unresolved(path);
    return claims.contain(file) ? claims.delete(file, recursive) : super.delete(path, recursive);
  }

  @Override
  public boolean rename(Path path, Path target) throws IOException {
    if (!claims.contain(unresolved(path)) || !claims.contain(unresolved(target))) {
      return super.rename(path, target);
    }
    claims.replace(unresolved(path), unresolved(target));
    return true;
  }

  /** Opens a file to write it, for the ways of creating one that Hadoop has besides {@link #create}. */
  @Override
  protected OutputStream createOutputStreamWithMode(Path path, boolean append, FsPermission permission) throws IOException {
    java.nio.file.Path file = unresolved(path);
    if (!claims.contain(file)) {
      return super.createOutputStreamWithMode(path, append, permission);
    }
    return createOutputStream(path, append);
  }

  @Override
  protected OutputStream createOutputStream(Path path, boolean append) throws IOException {
    java.nio.file.Path file = unresolved(path);
    if (!claims.contain(file)) {
      return super.createOutputStream(path, append);
    }
    if (append) {
      throw new UnsupportedOperationException("files of claims are written once");
    }
    claims.delete(file, false);
    return Channels.newOutputStream(claims.create(file));
  }

  @Override
  public FSDataOutputStream append(Path path, int bufferSize, Progressable progress) throws IOException {
    if (!claims.contain(unresolved(path))) {
      return super.append(path, bufferSize, progress);
    }
    throw new UnsupportedOperationException("files of claims are written once");
  }

  @Override
  public boolean truncate(Path path, long length) throws IOException {
    if (!claims.contain(unresolved(path))) {
      return super.truncate(path, length);
    }
    throw new UnsupportedOperationException("files of claims are written once");
  }

  /**
   * Reads a file with its current size; Hadoop's streams take twice as long.
   *
   * @param path the file
   * @param maxBytes larger files are not read
   * @throws IOException if the file does not exist or can't be read
   */
  Fetched fetch(Path path, long maxBytes) throws IOException {
    if (path.toUri().getPath().indexOf('\0') >= 0) {
      throw new FileNotFoundException("no file system has names with a zero byte");
    }
    java.nio.file.Path name = unresolved(path);
    try (SeekableByteChannel channel = channel(name)) {
      long size = channel.size();
      return size > maxBytes ? new Fetched(size, null) : new Fetched(size, exactly(channel, (int) size));
    } catch (FileNotFoundException | EOFException | FileSystemException e) {
      throw e;
    } catch (IOException e) {
      // The operating system's message, for which Java has no class.
      throw (FileSystemException) new FileSystemException(name.toString(), null, e.getMessage()).initCause(e);
    }
  }

  private static byte[] exactly(SeekableByteChannel channel, int size) throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate(size);
    while (bytes.position() < size) {
      bytes.limit(Math.min(size, bytes.position() + CHUNK)); // Java copies through as much memory outside the heap
      if (channel.read(bytes) < 0) {
        throw new EOFException("the file became shorter while it was read");
      }
    }
    return bytes.array();
  }

  /**
   * Moves a file, replacing an existing one; Hadoop would run readlink eight times.
   *
   * @param file the file
   * @param target its new path, in the same file system
   * @throws IOException if it can't be moved atomically
   */
  public void replace(Path file, Path target) throws IOException {
    if (claims.contain(unresolved(target))) {
      claims.replace(unresolved(file), unresolved(target));
    } else {
      Files.move(pathToFile(file).toPath(), pathToFile(target).toPath(), StandardCopyOption.ATOMIC_MOVE);
    }
  }

  @Override
  public void setPermission(Path path, FsPermission permission) throws IOException {
    if (permission.getStickyBit()) {
      super.setPermission(path, permission);
    } else if (claims.contain(unresolved(path))) {
      claims.setPermissions(unresolved(path), PosixFilePermissions.fromString(permission.toString()));
    } else {
      Files.setPosixFilePermissions(pathToFile(path).toPath(), PosixFilePermissions.fromString(permission.toString()));
    }
  }
}
