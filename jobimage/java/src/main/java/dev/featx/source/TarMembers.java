package dev.featx.source;

import java.io.BufferedInputStream;
import java.io.IOException;
import java.nio.file.PathMatcher;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;

/** Images in a tar archive, selected by name, since WebDataset stores labels beside them. */
final class TarMembers implements PackedImages.Members {
  private final TarArchiveInputStream stream;
  private final PathMatcher images;
  private final long maxBytes;

  TarMembers(Path file, Configuration conf, PackedSettings settings, long maxBytes) throws IOException {
    this.stream = new TarArchiveInputStream(new BufferedInputStream(file.getFileSystem(conf).open(file), 1 << 20), "UTF-8");
    this.images = PackedImages.matcher(settings);
    this.maxBytes = maxBytes;
  }

  @Override
  public PackedImages.Member next() throws IOException {
    for (TarArchiveEntry entry = stream.getNextTarEntry(); entry != null; entry = stream.getNextTarEntry()) {
      java.nio.file.Path name = java.nio.file.Path.of(entry.getName());
      if (entry.isFile() && images.matches(name.getFileName())) {
        boolean fits = entry.getSize() <= maxBytes;
        return new PackedImages.Member(entry.getName(), fits ? stream.readNBytes((int) entry.getSize()) : null, entry.getSize());
      }
    }
    return null;
  }

  @Override
  public void close() throws IOException {
    stream.close();
  }
}
