package dev.featx.security;

import java.net.URI;
import java.util.Map;
import java.util.TreeMap;
import org.apache.hadoop.conf.Configuration;
import software.amazon.awssdk.auth.credentials.AwsCredentialsProvider;
import software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider;
import software.amazon.awssdk.auth.credentials.EnvironmentVariableCredentialsProvider;
import software.amazon.awssdk.core.exception.SdkClientException;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.regions.providers.DefaultAwsRegionProviderChain;

/**
 * S3A's settings of one bucket, for requests that Featx makes without S3A.
 *
 * @param bucket its name
 * @param conf the run's settings
 */
public record BucketSettings(String bucket, Configuration conf) {
  private static final String PROVIDER = "aws.credentials.provider";
  private static final String HEADER = "featx.header.";
  private static final String REQUESTER_PAYS = "requester.pays.enabled";
  private static final String ANONYMOUS = "org.apache.hadoop.fs.s3a.AnonymousAWSCredentialsProvider";

  /** Returns this bucket's setting, or that of all buckets, or null. */
  public String get(String name) {
    return conf.getTrimmed("fs.s3a.bucket." + bucket + "." + name, conf.getTrimmed("fs.s3a." + name));
  }

  /** Returns whether requests name the bucket in the path, not in the host. */
  public boolean pathStyle() {
    return !"false".equals(get("path.style.access"));
  }

  /**
   * Returns the headers of requests for objects, by their names.
   *
   * @throws dev.featx.failure.RunProblem SecretIncomplete, if the Secret lacks the objects' key
   */
  public Map<String, String> headers() {
    Map<String, String> headers = new TreeMap<>(ownHeaders());
    if (Boolean.parseBoolean(get(REQUESTER_PAYS))) {
      headers.put("x-amz-request-payer", "requester");
    }
    if (Boolean.parseBoolean(get(CustomerKey.SETTING))) {
      headers.putAll(CustomerKey.of(get(MountedCredentials.FOLDER)).headers());
    }
    return headers;
  }

  /** Returns the headers of all requests that the resource names. */
  Map<String, String> ownHeaders() {
    Map<String, String> headers = new TreeMap<>();
    String prefix = "fs.s3a.bucket." + bucket + "." + HEADER;
    for (String name : conf.getPropsWithPrefix(prefix).keySet()) {
      headers.put(name, conf.getRaw(prefix + name)); // as written: get would replace ${env.NAME} by the variable's value
    }
    return headers;
  }

  /** Returns the store's endpoint, or null for AWS. */
  public URI endpoint() {
    String endpoint = get("endpoint");
    return endpoint == null || endpoint.isEmpty() ? null : URI.create(endpoint);
  }

  /** Returns the region to sign for. */
  public Region region() {
    String region = get("endpoint.region");
    if (region != null && !region.isEmpty()) {
      return Region.of(region);
    }
    try {
      return new DefaultAwsRegionProviderChain().getRegion();
    } catch (SdkClientException e) {
      return Region.US_EAST_1;
    }
  }

  /**
   * Returns the client's credentials, or null for anonymous access.
   *
   * @throws IllegalArgumentException if featx_job.clients.s3_settings does not set this provider
   */
  public AwsCredentialsProvider credentials() {
    String provider = get(PROVIDER);
    if (MountedCredentials.class.getName().equals(provider)) {
      return new MountedCredentials(URI.create("s3a://" + bucket), conf);
    }
    if (EnvironmentVariableCredentialsProvider.class.getName().equals(provider)) {
      return EnvironmentVariableCredentialsProvider.create();
    }
    if (DefaultCredentialsProvider.class.getName().equals(provider)) {
      return DefaultCredentialsProvider.create();
    }
    if (ANONYMOUS.equals(provider)) {
      return null;
    }
    throw new IllegalArgumentException("fs.s3a." + PROVIDER + " of bucket " + bucket + " is " + provider);
  }
}
